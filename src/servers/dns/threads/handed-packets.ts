/** Packets that a thread without an event loop hands over. It sends their replies in its next round. */
import type { Answerer } from './answerer.ts'
import type { HandedOver } from './handed-over.ts'
import { INPUT_OCTETS, OUTPUT_OCTETS, type PacketSocket } from './packet-socket.ts'
import type { ReplyPart } from './protocol.ts'

type Packet = {
  socket: PacketSocket
  query: Uint8Array<ArrayBuffer>
  /** As the socket gives it. */
  sender: Uint8Array
  remote: Uint8Array
}

export class HandedPackets {
  readonly #handedOver: HandedOver
  readonly #answerer: Answerer
  readonly #isOpen: (socket: PacketSocket) => boolean
  readonly #out = new Uint8Array(OUTPUT_OCTETS)

  constructor(
    handedOver: HandedOver,
    answerer: Answerer,
    isOpen: (socket: PacketSocket) => boolean,
  ) {
    this.#handedOver = handedOver
    this.#answerer = answerer
    this.#isOpen = isOpen
  }

  /** Hands over a packet of the last batch. Drops it when there are too many; the client asks again. */
  take(socket: PacketSocket, number: number): void {
    const start = number * INPUT_OCTETS
    const { octets, length, text } = this.#answerer.remote
    const packet = {
      socket,
      query: new Uint8Array(socket.input.slice(start, start + socket.lengthOf(number))),
      sender: socket.senderOf(number),
      remote: octets.slice(0, length),
    }
    this.#handedOver.begin(packet.query, 'udp', text, (part) => this.#send(packet, part))
  }

  #send({ socket, query, sender, remote }: Packet, part: ReplyPart): void {
    if (!this.#isOpen(socket)) return
    if (typeof part !== 'string') socket.send(sender, part)
    if (part !== 'ordinary') return
    this.#answerer.tick()
    this.#answerer.remote.set(remote, 0, remote.length)
    const length = this.#answerer.answer(query, 0, query.length, 'udp', this.#out, 0)
    if (length > 0) socket.send(sender, this.#out.subarray(0, length))
  }
}
