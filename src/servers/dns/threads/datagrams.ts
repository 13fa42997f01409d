/** A thread that answers UDP through Node's own sockets, packet by packet. */
import { listenUdp } from '../udp.ts'
import { runEventLoop } from './event-loop.ts'

runEventLoop(listenUdp)
