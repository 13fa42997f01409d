/** Asks the web server of redirects as a visitor would, and as no browser would: the request is written as it is. */
import { connect } from 'node:net'

export type Seen = { status: number; headers: Map<string, string>; body: string }

const LIMIT_MS = 5000

/** One request with this request line and this Host, on a connection of its own. */
export function visit(server: string, line: string, host: string, more = ''): Promise<Seen> {
  return exchange(server, `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`)
}

/** Where a plain visit leads; undefined where it leads nowhere. */
export async function leadsTo(server: string, host: string, path = '/') {
  return (await visit(server, `GET ${path}`, host)).headers.get('location')
}

/** Sends these octets and reads what comes until the end of the connection. */
export function exchange(server: string, octets: string): Promise<Seen> {
  const [address, port] = server.split(':')
  const socket = connect(Number(port), address)
  const { promise, resolve, reject } = Promise.withResolvers<Seen>()
  let text = ''
  socket.setEncoding('latin1')
  socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`no answer from ${server}`)))
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', reject)
  socket.on('close', () => resolve(parsed(text)))
  socket.write(octets, 'latin1')
  return promise
}

function parsed(text: string): Seen {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const pairs = fields.map((field) => {
    const at = field.indexOf(':')
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()] as const
  })
  return {
    status: Number(line.split(' ')[1]),
    headers: new Map(pairs),
    body: rest.join('\r\n\r\n'),
  }
}
