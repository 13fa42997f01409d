import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPrivateAddress } from '#names/ip.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { type LogInFailed, type Protocol, placesOf, type ServerOf } from './servers.ts'

const NAMES: Record<string, readonly string[]> = {
  'public.example': ['8.8.8.8'],
  'mixed.example': ['10.0.0.1', '8.8.4.4', '127.0.0.1', '169.254.169.254'],
  'private.example': ['10.0.0.1', '::1', '::ffff:127.0.0.1', 'fd00::1', '0.0.0.0'],
  'many.example': ['8.8.8.1', '8.8.8.2', '8.8.8.3', '8.8.8.4'],
}

const live = {
  resolver: {
    async resolve(name: string, type: string) {
      if (name === 'silent.example') throw new LookupFailed('no answer')
      const isV6 = type === 'AAAA'
      const found = (NAMES[name] ?? []).filter((address) => address.includes(':') === isV6)
      const records = found.map((data) => ({ name, type, ttl: 60, data }) as never)
      return { rcode: 'NOERROR' as const, records }
    },
  },
  mayConnect: (address: string) => !isPrivateAddress(address),
  isStrict: true,
  mailHost: 'mail.example',
}

const server = (changes: Partial<ServerOf>): ServerOf => ({
  host: 'public.example',
  port: 587,
  encrypts: true,
  logIn: { username: 'kim', password: 'secret' },
  ...changes,
})
const places = (changes: Partial<ServerOf>, protocol: Protocol = 'smtp') =>
  placesOf(protocol, server(changes), live, AbortSignal.timeout(1000))
const failure = (changes: Partial<ServerOf>, protocol?: Protocol) =>
  places(changes, protocol).then(
    () => undefined,
    (error: LogInFailed) => error.failure,
  )

test('in the live world there is no log-in without TLS, nor at other ports', async () => {
  assert.equal(await failure({ encrypts: false }), 'not_allowed')
  for (const port of [22, 25, 80, 143, 993, 1465, 1587, 5432])
    assert.equal(await failure({ port }), 'not_allowed', `${port}`)
  for (const port of [25, 465, 587, 1143, 1993])
    assert.equal(await failure({ port }, 'imap'), 'not_allowed', `${port}`)
})

test('TLS from the first octet at the ports for it, STARTTLS at others, and always verified', async () => {
  const tls = async (port: number, protocol: Protocol) => (await places({ port }, protocol))[0]!
  for (const [port, protocol, expected] of [
    [465, 'smtp', 'implicit'],
    [587, 'smtp', 'starttls'],
    [2525, 'smtp', 'starttls'],
    [993, 'imap', 'implicit'],
    [143, 'imap', 'starttls'],
  ] as const) {
    const place = await tls(port, protocol)
    assert.deepEqual(
      [place.tls, place.isVerified, place.servername, place.address],
      [expected, true, 'public.example', '8.8.8.8'],
    )
  }
})

test('only addresses that may be connected to are left, and a few of them', async () => {
  const found = async (host: string) => (await places({ host })).map(({ address }) => address)
  assert.deepEqual(await found('mixed.example'), ['8.8.4.4'])
  assert.deepEqual(await found('many.example'), ['8.8.8.1', '8.8.8.2', '8.8.8.3'])
  assert.deepEqual(await found('8.8.8.8'), ['8.8.8.8'])
})

test('private addresses are refused, written or found', async () => {
  assert.equal(await failure({ host: 'private.example' }), 'not_allowed')
  for (const host of [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '::1',
    '::ffff:10.0.0.1',
    'fe80::1',
  ])
    assert.equal(await failure({ host }), 'not_allowed', host)
})

test('no such name, and no answer, are two things', async () => {
  assert.equal(await failure({ host: 'nothing.example' }), 'refused')
  assert.equal(await failure({ host: 'silent.example' }), 'timed_out')
})
