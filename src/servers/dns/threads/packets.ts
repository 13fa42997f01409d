/**
 * A thread that only answers UDP: it blocks until packets arrive, answers them, and sends all replies in
 * one call. It never returns to an event loop, so it polls for its messages.
 */
import { isIPv6 } from 'node:net'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Answerer } from './answerer.ts'
import {
  type BatchedSocket,
  closeDescriptor,
  openBatchedSocket,
  Poll,
  probe,
} from './batched-socket.ts'
import { HandedOver } from './handed-over.ts'
import { HandedPackets } from './handed-packets.ts'
import { INPUT_OCTETS, OUTPUT_OCTETS, type PacketSocket } from './packet-socket.ts'
import {
  COUNTER,
  type FromThread,
  MAX_LISTENERS,
  type ThreadData,
  type ToThread,
} from './protocol.ts'

const IDLE_MS = 20
/** How often to poll the main thread while it prepares a reply. */
const HANDED_OVER_WAIT_MS = 1

const port = parentPort as MessagePort
const data = workerData as ThreadData
const post = (message: FromThread) => port.postMessage(message)
const answerer = new Answerer({ ...data, onAsked: (name) => post({ is: 'asked', name }) })
const sockets = new Map<number, BatchedSocket>()
let open: readonly PacketSocket[] = []
let poll = new Poll([])
const handedOver = new HandedOver(data, post)
const handedPackets = new HandedPackets(handedOver, answerer, (socket) => open.includes(socket))

closeLeftOpen()
probe()
post({ is: 'ready' })
try {
  while (Atomics.load(data.counters, COUNTER.stop) === 0) turn()
} finally {
  for (const id of sockets.keys()) close(id)
}

function turn(): void {
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) {
    hear(got.message as ToThread)
  }
  if (handedOver.size > 0) handedOver.expire()
  if (open.length === 0) Atomics.wait(data.counters, COUNTER.stop, 0, IDLE_MS)
  else if (handedOver.size > 0) serveReady(HANDED_OVER_WAIT_MS)
  else if (open.length === 1) serve(open[0]!, 'wait')
  else serveReady()
}

function hear(message: ToThread): void {
  if (message.is === 'listen') listen(message)
  if (message.is === 'close') close(message.id)
  if (message.is === 'part') handedOver.receive(message.id, message.part)
  if (message.is !== 'growth') return
  answerer.view.grow(message.growth)
  post({ is: 'acknowledged', number: message.growth.number })
}

function listen({ id, address, port }: Extract<ToThread, { is: 'listen' }>): void {
  try {
    const { isOneOfMany } = data
    if (sockets.size >= MAX_LISTENERS) throw new Error(`More than ${MAX_LISTENERS} addresses`)
    const socket = openBatchedSocket({ address, port, isV6: isIPv6(address), isOneOfMany })
    data.descriptors[data.descriptors.indexOf(0)] = socket.fd + 1
    sockets.set(id, socket)
    watch()
    const { receiveBufferOctets } = socket
    post({ is: 'listening', id, port: socket.port, receiveBufferOctets })
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    post({ is: 'refused', id, message, code })
  }
}

function close(id: number): void {
  const socket = sockets.get(id)
  if (socket) {
    data.descriptors[data.descriptors.indexOf(socket.fd + 1)] = 0
    socket[Symbol.dispose]()
    sockets.delete(id)
    watch()
  }
  post({ is: 'closed', id })
}

function watch(): void {
  open = [...sockets.values()]
  poll = new Poll([...sockets.values()])
}

/** Closes the sockets of a predecessor that was ended before it could. */
function closeLeftOpen(): void {
  for (const [i, descriptor] of data.descriptors.entries()) {
    if (descriptor > 0) closeDescriptor(descriptor - 1)
    data.descriptors[i] = 0
  }
}

function serveReady(ms?: number): void {
  poll.wait(ms)
  for (let i = 0; i < open.length; i++) if (poll.isReady(i)) serve(open[i]!, 'look')
}

function serve(socket: PacketSocket, how: 'wait' | 'look'): void {
  const count = socket.receive(how)
  if (count === 0) return
  answerer.tick()
  for (let i = 0; i < count; i++) {
    const start = i * INPUT_OCTETS
    const end = start + socket.lengthOf(i)
    answerer.remote.set(socket.addresses, socket.addressOf(i), socket.addressOctets)
    if (handedOver.isFor(socket.input, start, end, answerer.remote)) {
      handedPackets.take(socket, i)
      continue
    }
    const length = answerer.answer(
      socket.input,
      start,
      end,
      'udp',
      socket.output,
      i * OUTPUT_OCTETS,
    )
    if (length > 0) socket.reply(i, length)
  }
  socket.flush()
}
