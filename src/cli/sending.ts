import { parseArgs } from 'node:util'
import { callAdminApi } from './admin-client.ts'
import type { SocketAnswer } from './socket-request.ts'

/** Stops all sending; the arguments are the reason. */
export async function stopSending(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true })
  const reason = positionals.join(' ')
  if (reason === '') throw new Error('Say why: mailstead sending stop REASON')
  printState(await callAdminApi('POST', '/sending/stop', { reason }))
}

export async function startSending(): Promise<void> {
  printState(await callAdminApi('POST', '/sending/start', {}))
}

export async function sendingStatus(): Promise<void> {
  printState(await callAdminApi('GET', '/sending'))
}

function printState({ status, body }: SocketAnswer): void {
  if (status !== 200) throw new Error(`Mailstead refused it: ${JSON.stringify(body.detail)}`)
  const stopped = body.stopped as { reason: string; at: string } | null
  const sentence = stopped ? `Stopped since ${stopped.at}: ${stopped.reason}` : 'Sending is on.'
  process.stdout.write(`${sentence}\n`)
}
