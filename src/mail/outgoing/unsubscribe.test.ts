import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type DKIMVerifyOptions, dkimVerify } from 'mailauth'
import { compose } from './compose.ts'
import { sign } from './sign.ts'
import { readUnsubscribeToken, type Unsubscription, unsubscribeToken } from './unsubscribe.ts'

const macOf = (secret: string) => (text: string) =>
  createHmac('sha256', secret).update(text).digest()
const [ours, others] = [macOf('ours'), macOf('others')]

const some = (more: Partial<Unsubscription> = {}): Unsubscription => ({
  workspaceId: randomUUID(),
  world: 'live',
  messageId: randomUUID(),
  recipientHash: randomBytes(32),
  ...more,
})

test('a token is read as it was made, a thousand times', () => {
  for (let n = 0; n < 1000; n++) {
    const of = some({ world: n % 2 === 0 ? 'live' : 'sandbox' })
    const token = unsubscribeToken(of, ours)
    assert.match(token, /^[\w-]{110}$/)
    assert.deepEqual(readUnsubscribeToken(token, ours), of)
  }
})

test('a token keeps its form: links in messages of long ago must work', () => {
  const of = {
    workspaceId: '00000000-0000-4000-8000-000000000001',
    world: 'sandbox' as const,
    messageId: '0190a1b2-c3d4-7e5f-8a6b-123456789abc',
    recipientHash: Buffer.alloc(32, 7),
  }
  const token =
    'AQEAAAAAAABAAIAAAAAAAAABAZChssPUfl-KaxI0VniavAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHbqOi7mKITkFTsUHRGvI3hg'
  assert.equal(unsubscribeToken(of, ours), token)
  assert.deepEqual(readUnsubscribeToken(token, ours), of)
})

test('no other text is a token: cut, longer, altered anywhere, of another installation', () => {
  const token = unsubscribeToken(some(), ours)
  const refused = (text: string, mac = ours) =>
    assert.equal(readUnsubscribeToken(text, mac), undefined, text)
  refused(token, others)
  for (let length = 0; length < token.length; length++) refused(token.slice(0, length))
  for (const more of ['A', '=', '==', ' ', '\n', '\0', '/', token]) refused(token + more)
  for (const text of ['', '.', 'ü'.repeat(110), 'A'.repeat(110), '-'.repeat(110)]) refused(text)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (let at = 0; at < token.length; at++)
    for (const other of alphabet)
      if (other !== token[at]) refused(token.slice(0, at) + other + token.slice(at + 1))
  for (let n = 0; n < 1000; n++) refused(randomBytes(82).toString('base64url'))
})

test('a version or a world that is not known is refused, however well it is sealed', () => {
  for (const [at, octet] of [
    [0, 0],
    [0, 2],
    [1, 2],
    [1, 255],
  ] as const) {
    const payload = Buffer.from(unsubscribeToken(some(), ours), 'base64url').subarray(0, 66)
    payload[at] = octet
    const seal = ours(`unsubscribe ${payload.toString('base64url')}`).subarray(0, 16)
    const token = Buffer.concat([payload, seal]).toString('base64url')
    assert.equal(readUnsubscribeToken(token, ours), undefined, `${at} ${octet}`)
  }
})

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEY = {
  selector: 's',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
}
const options = {
  resolver: async () => [[`v=DKIM1; k=rsa; p=${KEY.publicKey}`]],
} as unknown as DKIMVerifyOptions

async function signed(url: string): Promise<string> {
  const mail = await compose(
    {
      origin: 'campaign',
      author: { localpart: 'kim', displayName: 'Kim' },
      recipient: 'ann@other.example',
      subject: 'Hello',
      text: 'Hello',
      unsubscribeUrl: (id) => `${url}${id}`,
    },
    'acme.example',
  )
  return (await sign(mail.content, 'acme.example', KEY)).toString('latin1')
}

async function verdictOn(raw: string) {
  const { results } = await dkimVerify(Buffer.from(raw, 'latin1'), options)
  return results[0]!
}

test('both fields are in the message, and the signature covers them', async () => {
  const url = `https://mail.example/u/${unsubscribeToken(some(), ours)}`
  const raw = await signed(`${url}/`)
  const unfolded = raw.replace(/\r\n[ \t]+/g, ' ')
  assert.match(unfolded, /\r\nList-Unsubscribe: <https:\/\/mail\.example\/u\/[\w/-]+>\r\n/)
  assert.match(unfolded, /\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n/)
  const { status, signingHeaders } = await verdictOn(raw)
  assert.equal(status.result, 'pass')
  const covered = signingHeaders!.keys
    .toLowerCase()
    .split(':')
    .map((key) => key.trim())
  assert.ok(covered.includes('list-unsubscribe') && covered.includes('list-unsubscribe-post'))
  for (const [from, to] of [
    ['mail.example/u/', 'evil.example/u/'],
    ['=One-Click', '=Two-Click'],
  ] as const) {
    assert.ok(raw.includes(from))
    assert.equal((await verdictOn(raw.replace(from, to))).status.result, 'fail', from)
  }
})
