/** The thread that answers TCP. */
import { listenTcp } from '../tcp.ts'
import { runEventLoop } from './event-loop.ts'

runEventLoop(listenTcp)
