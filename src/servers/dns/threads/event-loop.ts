/** A thread with an event loop, which answers TCP, or UDP where batching is unavailable. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Transport } from '../answer.ts'
import type { AnswerFirst, Listener, ListenOptions } from '../listener.ts'
import { Answerer } from './answerer.ts'
import { HandedOver } from './handed-over.ts'
import { handedOverReply } from './handed-over-reply.ts'
import type { FromThread, ThreadData, ToThread } from './protocol.ts'

const MAX_REPLY_OCTETS = 65_535
const EXPIRE_EVERY_MS = 1000

export function runEventLoop(listenBy: (options: ListenOptions) => Promise<Listener>): void {
  const port = parentPort as MessagePort
  const data = workerData as ThreadData
  const post = (message: FromThread) => port.postMessage(message)
  const answerer = new Answerer({ ...data, onAsked: (name) => post({ is: 'asked', name }) })
  const out = new Uint8Array(MAX_REPLY_OCTETS)
  const listeners = new Map<number, Listener>()
  const handedOver = new HandedOver(data, post)
  const expiring = setInterval(() => handedOver.expire(), EXPIRE_EVERY_MS)
  const onError = (error: unknown) =>
    post({ is: 'trouble', message: error instanceof Error ? error.message : String(error) })

  const answerFirst: AnswerFirst = (query, transport, remote) => {
    answerer.remote.setText(remote)
    if (!handedOver.isFor(query, 0, query.length, answerer.remote)) return undefined
    const ordinary = () => answerNow(query, transport, remote)
    return handedOverReply(handedOver, query, transport, remote, ordinary)
  }

  const answerNow = (
    query: Uint8Array,
    transport: Transport,
    remote: string,
  ): Buffer | undefined => {
    answerer.tick()
    answerer.remote.setText(remote)
    const length = answerer.answer(query, 0, query.length, transport, out, 0)
    return length === 0 ? undefined : Buffer.from(out.subarray(0, length))
  }

  async function listen({ id, address, port }: Extract<ToThread, { is: 'listen' }>): Promise<void> {
    try {
      const listener = await listenBy({ address, port, answerFirst, answer: answerNow, onError })
      listeners.set(id, listener)
      const { receiveBufferOctets } = listener
      post({ is: 'listening', id, port: listener.port, receiveBufferOctets })
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      post({ is: 'refused', id, message, code })
    }
  }

  async function stop(): Promise<void> {
    await Promise.all([...listeners.values()].map((listener) => listener[Symbol.asyncDispose]()))
    clearInterval(expiring)
    port.close()
  }

  async function close(id: number): Promise<void> {
    await listeners.get(id)?.[Symbol.asyncDispose]()
    listeners.delete(id)
    post({ is: 'closed', id })
  }

  port.on('message', (message: ToThread) => {
    if (message.is === 'listen') listen(message)
    if (message.is === 'close') close(message.id).catch(onError)
    if (message.is === 'part') handedOver.receive(message.id, message.part)
    if (message.is === 'stop') stop().catch(onError)
    if (message.is !== 'growth') return
    answerer.view.grow(message.growth)
    post({ is: 'acknowledged', number: message.growth.number })
  })
  post({ is: 'ready' })
}
