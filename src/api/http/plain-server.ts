/** A server that reads nothing of a request but the path: for what must be answered without the API. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from '#names/ip.ts'
import { newId } from '../../ids.ts'

const RETRY_AFTER_S = 2
const REQUEST_LIMIT_MS = 5000

export type PlainAnswer = { status: number; body: object }

/** Disposing it frees the address. Rejects where the address is taken. */
export async function listenPlain(
  { address, port }: Endpoint,
  answer: (path: string) => PlainAnswer | Promise<PlainAnswer>,
): Promise<AsyncDisposable & Endpoint> {
  const server = createServer(
    { requestTimeout: REQUEST_LIMIT_MS },
    async ({ url = '' }, response) => {
      const { status, body } = await answer(url.split('?')[0]!)
      if (status === 503) response.setHeader('retry-after', RETRY_AFTER_S)
      response.writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        'x-request-id': newId(),
        // The API may listen here next, and does not know of this connection.
        connection: 'close',
      })
      response.end(JSON.stringify(body))
    },
  )
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
