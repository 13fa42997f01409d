/** Socket addresses as the system writes them: struct sockaddr_in and sockaddr_in6 of Linux. */
import { Remote } from '../defence/remote.ts'

const AF_INET = 2
const AF_INET6 = 10
const SCOPE_AT = 24

export const RemoteSlots = {
  v4: { octets: 16, address: 4 },
  v6: { octets: 28, address: 8 },

  socketAddress(address: string, port: number, isV6: boolean): Buffer {
    const { octets, address: at } = isV6 ? RemoteSlots.v6 : RemoteSlots.v4
    const name = Buffer.alloc(octets)
    name.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0)
    name.writeUInt16BE(port, 2)
    const remote = new Remote()
    remote.setText(address)
    name.set(remote.octets.subarray(0, remote.length), at)
    const scope = /%(\d+)$/.exec(address)?.[1]
    if (isV6 && scope) name.writeUInt32LE(Number(scope), SCOPE_AT)
    return name
  },
} as const
