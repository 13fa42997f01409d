/** A UDP socket that takes and sends many packets in one call. */

/** Octets of a packet that is looked at; longer ones are no queries for us. */
export const INPUT_OCTETS = 1536
/** Octets of a slot for a reply; no UDP reply is longer than 1232. */
export const OUTPUT_OCTETS = 1280
export const MAX_BATCH = 64

export type PacketSocket = Disposable & {
  readonly port: number
  /** What the kernel keeps of a burst, in octets. */
  readonly receiveBufferOctets: number
  /** The packets of the last batch, each in a slot of `INPUT_OCTETS`. */
  readonly input: Uint8Array
  /** A slot of `OUTPUT_OCTETS` for the reply to each. */
  readonly output: Uint8Array
  /** Waits for packets for 50 ms at most, unless told to look only; gives how many there are. */
  receive(how: 'wait' | 'look'): number
  /** Octets of a packet; 0 for one that was cut off. */
  lengthOf(packet: number): number
  /** Where the address lies in `addresses` that a packet came from, and how many octets it has. */
  readonly addresses: Uint8Array
  readonly addressOctets: number
  addressOf(packet: number): number
  /** The packet gets the reply in its slot, of so many octets, when `flush` is called. */
  reply(packet: number, length: number): void
  /** What `send` takes for the sender of a packet; a copy. */
  senderOf(packet: number): Uint8Array
  /** Sends one packet now; not between `receive` and `flush`. What is too long for a slot is dropped. */
  send(to: Uint8Array, packet: Uint8Array): void
  /** Sends the replies; what the kernel has no room for is dropped, and asked for again by whoever wants it. */
  flush(): void
}
