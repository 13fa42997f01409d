/** The certificate of the mail host comes from the operator's files, and is renewed without a restart. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { implicitName, makeCertificate, nameOf } from '../certificates.ts'
import { until } from '../client.ts'
import { dataDirectory } from '../directories.ts'
import { testHouse } from '../house.ts'

const [first, second] = [await makeCertificate('mx.one.test'), await makeCertificate('mx.two.test')]
async function startTlsName(server: string): Promise<string | undefined> {
  const [host, port] = server.split(':')
  const plain = connect(Number(port), host)
  await once(plain, 'data')
  for (const line of ['EHLO x', 'STARTTLS']) {
    plain.write(`${line}\r\n`)
    await once(plain, 'data')
  }
  const socket = connectTls({ socket: plain, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const name = nameOf(socket.getPeerX509Certificate())
  socket.destroy()
  return name
}

test('servers show the certificate of the files, and its successor when they change', async () => {
  await using directory = await dataDirectory()
  const [certPath, keyPath] = [join(directory.path, 'mail.pem'), join(directory.path, 'mail.key')]
  await writeFile(certPath, first.cert)
  await writeFile(keyPath, first.key)
  await using house = await testHouse({
    MAILSTEAD_TLS_CERT: certPath,
    MAILSTEAD_TLS_KEY: keyPath,
  })
  const { startTls, implicitTls } = house.house.submission
  const names = () =>
    Promise.all([
      startTlsName(house.smtp),
      startTlsName(startTls[0]!),
      implicitName(implicitTls[0]!),
    ])
  assert.deepEqual(await names(), Array(3).fill('mx.one.test'))
  // Only one of the two: the former pair stays, and the log says why.
  await writeFile(certPath, second.cert)
  await until(
    async () => house.logLines.join(''),
    (lines) => lines.includes('the former certificate stays'),
  )
  assert.deepEqual(await names(), Array(3).fill('mx.one.test'))
  await writeFile(keyPath, second.key)
  await until(names, (found) => found.every((name) => name === 'mx.two.test'))
  assert.equal(
    house.logLines.some((line) => line.includes('PRIVATE KEY')),
    false,
  )
})

test('files that cannot be used end the start with a sentence', async () => {
  await using directory = await dataDirectory()
  const path = (name: string) => join(directory.path, name)
  await writeFile(path('one.pem'), first.cert)
  await writeFile(path('two.key'), second.key)
  await writeFile(path('nonsense'), 'nonsense')
  for (const [cert, key, sentence] of [
    [path('one.pem'), '', /set together/],
    ['', path('two.key'), /set together/],
    [path('one.pem'), path('two.key'), /not the private key/],
    [path('nonsense'), path('two.key'), /not the private key/],
    [path('missing'), path('two.key'), /cannot be read \(ENOENT\)/],
  ] as const)
    await assert.rejects(testHouse({ MAILSTEAD_TLS_CERT: cert, MAILSTEAD_TLS_KEY: key }), sentence)
})
