/** Certificates as servers show them. */
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { generate } from 'selfsigned'

export async function makeCertificate(name: string): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: name }], { algorithm: 'sha256' })
  return { cert: made.cert, key: made.private }
}

export const nameOf = (cert: X509Certificate | undefined): string | undefined =>
  cert?.subject.replace('CN=', '')

/** The name in the certificate of a server that speaks TLS from the start. */
export async function implicitName(server: string): Promise<string | undefined> {
  const [host, port] = server.split(':')
  const socket = connectTls({ host: host!, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const name = nameOf(socket.getPeerX509Certificate())
  socket.destroy()
  return name
}
