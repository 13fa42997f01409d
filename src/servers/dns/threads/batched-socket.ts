/**
 * All native calls of the nameserver: Linux's `recvmmsg` and `sendmmsg`, by koffi. Loading this module
 * throws where they are unavailable. The structures are those of 64-bit little-endian machines (x64 and
 * arm64); every length is fixed here and bounded by the kernel, because a mistake would corrupt memory.
 * Calls block, for a thread that does nothing else.
 */
import { constants, endianness } from 'node:os'
import koffi from 'koffi'
import { INPUT_OCTETS, MAX_BATCH, OUTPUT_OCTETS, type PacketSocket } from './packet-socket.ts'
import { RemoteSlots } from './remote-slots.ts'

type Call = (...values: readonly (number | bigint | Uint8Array | null)[]) => number

const IS_KNOWN_LAYOUT =
  process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) && endianness() === 'LE'
if (!IS_KNOWN_LAYOUT) throw new Error(`Not known on ${process.platform} ${process.arch}`)

const libc = koffi.load(null)
const call = (signature: string): Call => libc.func(signature) as Call
const socket = call('int socket(int domain, int type, int protocol)')
const bind = call('int bind(int fd, void *address, uint length)')
const close = call('int close(int fd)')
const getsockname = call('int getsockname(int fd, void *address, void *length)')
const setsockopt = call('int setsockopt(int fd, int level, int name, void *value, uint length)')
const getsockopt = call('int getsockopt(int fd, int level, int name, void *value, void *length)')
const recvmmsg = call('int recvmmsg(int fd, void *messages, uint count, int flags, void *timeout)')
const sendmmsg = call('int sendmmsg(int fd, void *messages, uint count, int flags)')
const pollCall = call('int poll(void *fds, ulong count, int timeout)')

const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_REUSEPORT = 15
const SO_RCVTIMEO = 20
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
const MSG_WAITFORONE = 0x10000
const POLLIN = 1
const WAIT_MS = 50
const RECEIVE_BUFFER_OCTETS = 4 * 2 ** 20

/** struct mmsghdr: name, its length, iovec, their number, control, its length, flags, message octets. */
const HEADER = { octets: 64, name: 0, nameLength: 8, iov: 16, iovs: 24, flags: 48, length: 56 }
const IOV = { octets: 16, base: 0, length: 8 }
const SLOT = 32

/** A timeout, a signal, an ICMP error for an earlier reply, a kernel short of memory. */
const PASSING: ReadonlySet<number> = new Set([
  constants.errno.EAGAIN,
  constants.errno.EINTR,
  constants.errno.ECONNREFUSED,
  constants.errno.EHOSTUNREACH,
  constants.errno.ENETUNREACH,
  constants.errno.ENOBUFS,
  constants.errno.ENOMEM,
])

export type BatchedSocketOptions = {
  address: string
  port: number
  isV6: boolean
  /** Other sockets listen at the same address and port. */
  isOneOfMany: boolean
}

/** Throws with the `code` of the system's error when it cannot listen. */
export function openBatchedSocket(options: BatchedSocketOptions): BatchedSocket {
  const fd = checked(socket(options.isV6 ? AF_INET6 : AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket')
  try {
    prepare(fd, options)
    return new BatchedSocket(fd, options.isV6)
  } catch (error) {
    close(fd)
    throw error
  }
}

export function closeDescriptor(fd: number): void {
  close(fd)
}

/** Sends itself a packet and reads it; throws where that does not work. */
export function probe(): void {
  using socket = openBatchedSocket({
    address: '127.0.0.1',
    port: 0,
    isV6: false,
    isOneOfMany: false,
  })
  socket.send(RemoteSlots.socketAddress('127.0.0.1', socket.port, false), Uint8Array.of(1, 2, 3))
  const isWhole = socket.receive('wait') === 1 && socket.lengthOf(0) === 3
  if (!isWhole || socket.input[2] !== 3) throw new Error('A packet to ourselves did not come in')
}

function prepare(fd: number, { address, port, isV6, isOneOfMany }: BatchedSocketOptions): void {
  if (isV6) checked(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, i32(1), 4), 'setsockopt')
  if (isOneOfMany) checked(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, i32(1), 4), 'setsockopt')
  // The kernel may grant less; `receiveBufferOctets` says how much.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, i32(RECEIVE_BUFFER_OCTETS), 4)
  const timeout = Buffer.alloc(16)
  timeout.writeBigInt64LE(BigInt(WAIT_MS * 1000), 8)
  checked(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, 16), 'setsockopt')
  const name = RemoteSlots.socketAddress(address, port, isV6)
  checked(bind(fd, name, name.length), 'bind')
}

export class BatchedSocket implements PacketSocket {
  readonly fd: number
  readonly port: number
  readonly receiveBufferOctets: number
  readonly input = new Uint8Array(MAX_BATCH * INPUT_OCTETS)
  readonly output = new Uint8Array(MAX_BATCH * OUTPUT_OCTETS)
  readonly addresses = new Uint8Array(MAX_BATCH * SLOT)
  readonly addressOctets: number
  readonly #nameLength: number
  readonly #addressAt: number
  readonly #inHeaders = new Uint8Array(MAX_BATCH * HEADER.octets)
  readonly #inWords = new Uint32Array(this.#inHeaders.buffer)
  readonly #inIovs = new Uint8Array(MAX_BATCH * IOV.octets)
  readonly #outHeaders = new Uint8Array(MAX_BATCH * HEADER.octets)
  readonly #outIovs = new Uint8Array(MAX_BATCH * IOV.octets)
  readonly #outIovWords = new Uint32Array(this.#outIovs.buffer)
  readonly #outNames = new BigUint64Array(this.#outHeaders.buffer)
  readonly #outBases = new BigUint64Array(this.#outIovs.buffer)
  readonly #namePointers: BigUint64Array
  readonly #outputPointers: BigUint64Array
  #replies = 0

  constructor(fd: number, isV6: boolean) {
    this.fd = fd
    this.#nameLength = isV6 ? RemoteSlots.v6.octets : RemoteSlots.v4.octets
    this.#addressAt = isV6 ? RemoteSlots.v6.address : RemoteSlots.v4.address
    this.addressOctets = isV6 ? 16 : 4
    const names = koffi.address(this.addresses)
    this.#namePointers = pointers(names, SLOT)
    this.#outputPointers = pointers(koffi.address(this.output), OUTPUT_OCTETS)
    writeHeaders(this.#inHeaders, koffi.address(this.#inIovs), this.#namePointers, this.#nameLength)
    writeHeaders(
      this.#outHeaders,
      koffi.address(this.#outIovs),
      this.#namePointers,
      this.#nameLength,
    )
    writeIovs(this.#inIovs, pointers(koffi.address(this.input), INPUT_OCTETS), INPUT_OCTETS)
    this.port = portOf(fd)
    this.receiveBufferOctets = receiveBufferOf(fd)
  }

  receive(how: 'wait' | 'look'): number {
    // The kernel writes the length of each address over the maximum it read there.
    for (let i = 0; i < MAX_BATCH; i++) {
      this.#inWords[(i * HEADER.octets + HEADER.nameLength) / 4] = this.#nameLength
    }
    this.#replies = 0
    const flags = how === 'wait' ? MSG_WAITFORONE : MSG_DONTWAIT
    const count = recvmmsg(this.fd, this.#inHeaders, MAX_BATCH, flags, null)
    if (count < 0 && !PASSING.has(koffi.errno())) throw systemError('recvmmsg')
    return Math.max(count, 0)
  }

  lengthOf(packet: number): number {
    const header = (packet * HEADER.octets) / 4
    const isCut = (this.#inWords[header + HEADER.flags / 4]! & MSG_TRUNC) !== 0
    return isCut ? 0 : Math.min(this.#inWords[header + HEADER.length / 4]!, INPUT_OCTETS)
  }

  addressOf(packet: number): number {
    return packet * SLOT + this.#addressAt
  }

  reply(packet: number, length: number): void {
    // No client has port 0: such a source is forged, and a packet to it cannot be sent.
    if (this.addresses[packet * SLOT + 2] === 0 && this.addresses[packet * SLOT + 3] === 0) return
    const number = this.#replies++
    this.#outNames[(number * HEADER.octets + HEADER.name) / 8] = this.#namePointers[packet]!
    this.#outBases[(number * IOV.octets + IOV.base) / 8] = this.#outputPointers[packet]!
    this.#outIovWords[(number * IOV.octets + IOV.length) / 4] = Math.min(length, OUTPUT_OCTETS)
  }

  senderOf(packet: number): Uint8Array {
    return this.addresses.slice(packet * SLOT, (packet + 1) * SLOT)
  }

  send(to: Uint8Array, packet: Uint8Array): void {
    if (packet.length > OUTPUT_OCTETS) return
    this.addresses.set(to)
    this.output.set(packet)
    this.reply(0, packet.length)
    this.flush()
  }

  flush(): void {
    let sent = 0
    while (sent < this.#replies) {
      const headers =
        sent === 0 ? this.#outHeaders : this.#outHeaders.subarray(sent * HEADER.octets)
      const count = sendmmsg(this.fd, headers, this.#replies - sent, MSG_DONTWAIT)
      if (count > 0) sent += count
      else if (isFull(koffi.errno())) break
      else sent++ // Skips a reply whose address is invalid.
    }
    this.#replies = 0
  }

  [Symbol.dispose](): void {
    close(this.fd)
  }
}

/** Polls several sockets for packets. */
export class Poll {
  readonly #fds: Int32Array
  readonly #events: Uint16Array

  constructor(sockets: readonly BatchedSocket[]) {
    this.#fds = new Int32Array(2 * sockets.length)
    this.#events = new Uint16Array(this.#fds.buffer)
    for (const [i, { fd }] of sockets.entries()) {
      this.#fds[2 * i] = fd
      this.#events[4 * i + 2] = POLLIN
    }
  }

  wait(ms = WAIT_MS): void {
    const bytes = new Uint8Array(this.#fds.buffer)
    pollCall(bytes, this.#fds.length / 2, ms)
  }

  isReady(socket: number): boolean {
    return this.#events[4 * socket + 3] !== 0
  }
}

function writeHeaders(
  headers: Uint8Array,
  iovs: bigint,
  names: BigUint64Array,
  nameLength: number,
): void {
  const view = new DataView(headers.buffer)
  for (let i = 0; i < MAX_BATCH; i++) {
    const at = i * HEADER.octets
    view.setBigUint64(at + HEADER.name, names[i]!, true)
    view.setUint32(at + HEADER.nameLength, nameLength, true)
    view.setBigUint64(at + HEADER.iov, iovs + BigInt(i * IOV.octets), true)
    view.setBigUint64(at + HEADER.iovs, 1n, true)
  }
}

function writeIovs(iovs: Uint8Array, bases: BigUint64Array, length: number): void {
  const view = new DataView(iovs.buffer)
  for (let i = 0; i < MAX_BATCH; i++) {
    view.setBigUint64(i * IOV.octets + IOV.base, bases[i]!, true)
    view.setBigUint64(i * IOV.octets + IOV.length, BigInt(length), true)
  }
}

const pointers = (base: bigint, step: number): BigUint64Array =>
  BigUint64Array.from({ length: MAX_BATCH }, (_, i) => base + BigInt(i * step))

function portOf(fd: number): number {
  const name = new Uint8Array(SLOT)
  checked(getsockname(fd, name, i32(SLOT)), 'getsockname')
  return (name[2]! << 8) | name[3]!
}

function receiveBufferOf(fd: number): number {
  const octets = i32(0)
  checked(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, octets, i32(4)), 'getsockopt')
  // The kernel doubles the size for its own bookkeeping.
  return octets.readInt32LE(0) / 2
}

function i32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeInt32LE(value)
  return octets
}

function checked(result: number, what: string): number {
  if (result >= 0) return result
  throw systemError(what)
}

function systemError(what: string): Error {
  const errno = koffi.errno()
  const [code = `errno ${errno}`] =
    Object.entries(constants.errno).find(([, number]) => number === errno) ?? []
  return Object.assign(new Error(`${what} ${code}`), { code })
}

const isFull = (errno: number): boolean =>
  errno === constants.errno.EAGAIN || errno === constants.errno.ENOBUFS
