/** Answers `/healthz` and `/readyz` for supervisors, at its own address and without a key. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from '#names/ip.ts'

/** Each check by name: `ok`, or a few words on what is wrong. */
export type Report = { isReady: boolean; checks: Readonly<Record<string, string>> }

const RETRY_AFTER_S = 2

const readiness = ({ isReady, checks }: Report) => ({
  status: isReady ? ('ready' as const) : ('not_ready' as const),
  ...checks,
})

/** Rejects where the address is in use. */
export async function listenHealth(
  { address, port }: Endpoint,
  report: () => Promise<Report>,
): Promise<AsyncDisposable & Endpoint> {
  const server = createServer({ requestTimeout: 5000 }, ({ url }, response) => {
    const path = url?.split('?')[0]
    if (path === '/healthz') send(response, 200, { status: 'ok' })
    else if (path !== '/readyz') send(response, 404, { error: 'not_found' })
    else void report().then((found) => send(response, found.isReady ? 200 : 503, readiness(found)))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return {
    address,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  if (status === 503) response.setHeader('retry-after', RETRY_AFTER_S)
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}
