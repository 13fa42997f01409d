/** A UDP socket that receives and sends many packets in one call. */

/** Octets read of a packet; a longer one is no query that we answer. */
export const INPUT_OCTETS = 1536
/** Octets of a slot for a reply; no UDP reply is longer than 1232. */
export const OUTPUT_OCTETS = 1280
export const MAX_BATCH = 64

export type PacketSocket = Disposable & {
  readonly port: number
  /** The receive buffer, in octets. */
  readonly receiveBufferOctets: number
  /** The packets of the last batch, each in a slot of `INPUT_OCTETS`. */
  readonly input: Uint8Array
  /** A slot of `OUTPUT_OCTETS` for the reply to each. */
  readonly output: Uint8Array
  /** Waits at most 50 ms for packets, or only polls; returns how many there are. */
  receive(how: 'wait' | 'look'): number
  /** Octets of a packet; 0 for a truncated one. */
  lengthOf(packet: number): number
  /** A packet's source address: its offset in `addresses`, and its length. */
  readonly addresses: Uint8Array
  readonly addressOctets: number
  addressOf(packet: number): number
  /** Queues the reply in the packet's slot, with that length, for `flush`. */
  reply(packet: number, length: number): void
  /** The packet's source, as `send` takes it; a copy. */
  senderOf(packet: number): Uint8Array
  /** Sends one packet now; not between `receive` and `flush`. Drops one too long for a slot. */
  send(to: Uint8Array, packet: Uint8Array): void
  /** Sends the replies; drops those the kernel has no buffer for, and clients ask again. */
  flush(): void
}
