/** Answers until Postgres and the API are there. Reads nothing but the path. */
import { createServer, type ServerResponse } from 'node:http'
import type { Endpoint } from '#names/ip.ts'
import { newId } from '../../ids.ts'
import { AWAY, RETRY_AFTER_S } from './health.ts'
import { PROBLEMS } from './problems.ts'

const { detail } = PROBLEMS.database_away
const OTHERS = { detail, error: 'database_away' }

/** Listens where the API will; disposing it frees the address. Rejects where the address is taken. */
export async function startMeanwhile({ address, port }: Endpoint): Promise<AsyncDisposable> {
  const server = createServer(({ url }, response) => {
    const path = url?.split('?')[0]
    if (path === '/healthz') send(response, 200, { status: 'ok' })
    else send(response, 503, path === '/readyz' ? AWAY : OTHERS)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  if (status === 503) response.setHeader('retry-after', RETRY_AFTER_S)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': newId(),
    // The API, which starts next, does not know of this connection.
    connection: 'close',
  })
  response.end(JSON.stringify(body))
}
