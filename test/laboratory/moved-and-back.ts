/**
 * `RIG=… KEY=… moved-and-back.ts <API> <name>`: part of scripts/laboratory. A name with a website, mail
 * elsewhere and a wildcard, served by software that is not ours, is moved to us and back, and
 * no answer that was imported ever differs on the way.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, conditionOf, type Json, until } from '../client.ts'
import { answerOf, ask, type Question, type Server, shownBy } from './answers.ts'
import { nameOf, Watch } from './watch.ts'

const { RIG = '', KEY } = process.env
const [url = '', name = ''] = process.argv.slice(2)
const client = new Client(url, KEY)

const PARENT: Server = { title: 'the parent', address: '127.0.10.2' }
const OLD: Server[] = [
  { title: 'ns1.hoster.test', address: '127.0.10.3' },
  { title: 'ns2.hoster.test', address: '127.0.10.4' },
]
const OURS: Server[] = [
  { title: 'our 127.0.30.1', address: '127.0.30.1' },
  { title: 'our 127.0.30.2', address: '127.0.30.2' },
]
const RESOLVER: Server = { title: 'the resolver', address: '127.0.10.53', isResolver: true }
/** So short that the resolver follows each move within the run. */
const TTL_S = 2
const SETTLED_MS = 3000

const SITE = [
  '@ A 192.0.2.10',
  '@ A 192.0.2.11',
  '@ AAAA 2001:db8::10',
  '@ MX 10 mail',
  '@ MX 20 mx.receiver.test.',
  '@ TXT "v=spf1 mx include:_spf.receiver.test -all"',
  '@ TXT "site-verification=\\"a;b\\" \\\\ c"',
  '@ CAA 0 issue "ca.example"',
  '@ CAA 0 iodef "mailto:security@receiver.test"',
  'www CNAME @',
  'blog CNAME nobody',
  'shop CNAME shops.receiver.test.',
  'mail A 192.0.2.25',
  'mail AAAA 2001:db8::25',
  '_autodiscover._tcp SRV 0 5 443 mail',
  '_dmarc TXT "v=DMARC1; p=quarantine"',
  `google._domainkey TXT "v=DKIM1; k=rsa; p=${'A'.repeat(200)}" "${'B'.repeat(192)}"`,
  '* A 192.0.2.99',
  '* TXT "wild"',
]

// biome-ignore format: a table
const QUESTIONS: Question[] = [
  ['', 'A'], ['', 'AAAA'], ['', 'MX'], ['', 'TXT'], ['', 'CAA'],
  ['www', 'A'], ['www', 'MX'], ['blog', 'A'], ['shop', 'CNAME'], ['mail', 'A'], ['mail', 'AAAA'],
  ['_autodiscover._tcp', 'SRV'], ['_dmarc', 'TXT'], ['google._domainkey', 'TXT'],
  ['anything', 'A'], ['any-?', 'A'], ['deep.in-?', 'TXT'],
]
/** What the wildcard does not reach must not be reached by it here either. */
const NEGATIVE: Question[] = [
  ['mail', 'TXT'],
  ['any-?', 'AAAA'],
  ['_domainkey', 'A'],
  ['other._domainkey', 'TXT'],
]
const ALL = [...QUESTIONS, ...NEGATIVE]

const seen = (line: string) => console.log(`   ${line}`)

if (!(await isAnswered(OLD[0]!, 'hoster.test'))) {
  seen(`skipped: the laboratory has no other hoster that answers at ${OLD[0]!.address}`)
  process.exit(0)
}
await hostElsewhere()
const before = await answersBefore()
const { id, pair } = await addWithImport()
await using watch = openWatch(pair)
await delay(SETTLED_MS)
await moveHere()
await moveBack()
await watch.end()
report()
await removeIt()

async function isAnswered(server: Server, apex: string): Promise<boolean> {
  const reply = await ask(server, apex, 'SOA').catch(() => undefined)
  return reply?.flag_aa === true
}

function rig(args: readonly string[], input = ''): Promise<void> {
  const env = { ...process.env, RIG_TTL: String(TTL_S) }
  return new Promise((resolve, reject) => {
    const child = execFile(RIG, args, { env, timeout: 60_000 }, (error) =>
      error ? reject(error) : resolve(),
    )
    child.stdin?.end(input)
  })
}

async function hostElsewhere(): Promise<void> {
  await rig(['host', name], `${SITE.join('\n')}\n`)
  await rig(['flush'])
  seen(
    `${name} is served by ${OLD.map(({ title }) => title).join(' and ')}: ${SITE.length} records`,
  )
}

/** From all who can be asked now, who must agree: else nothing could be said about what comes later. */
async function answersBefore(): Promise<string[]> {
  const all = [...OLD, RESOLVER].map((server) =>
    Promise.all(ALL.map(([label, type]) => answerOf(server, nameOf(label, name, 0), type))),
  )
  const [first, ...others] = await Promise.all(all)
  for (const other of others) assert.deepEqual(other, first)
  first!.forEach((answer, index) => {
    const isThere = answer.startsWith('NOERROR | ')
    assert.equal(isThere, index < QUESTIONS.length, `${ALL[index]}: ${answer}`)
  })
  return first!
}

async function addWithImport(): Promise<{ id: string; pair: string[] }> {
  const { status, body } = await client.post('/domains', { domain: name })
  assert.equal(status, 201, JSON.stringify(body))
  const imported = await until(
    async () => (await client.get(`/domains/${body.domain_id}/import`)).body,
    ({ state }) => state !== 'wanted',
  )
  const found = imported.records.map((record: Json) => `${record.name} ${record.type}`)
  assert.deepEqual(found.toSorted(), SITE.map(ownerAndType).toSorted(), 'all of it is imported')
  seen(`added at Mailstead, which found all ${found.length}; nameservers ${body.nameservers}`)
  return { id: body.domain_id, pair: body.nameservers.toSorted() }
}

function ownerAndType(line: string): string {
  const [label = '', type] = line.split(' ')
  return `${label === '@' ? name : `${label}.${name}`} ${type}`
}

function openWatch(ofClaim: readonly string[]) {
  const servers = { parent: PARENT, old: OLD, ours: OURS, resolver: RESOLVER }
  const watch = new Watch({ name, questions: ALL, before, pair: ofClaim, ...servers })
  return Object.assign(watch, { [Symbol.asyncDispose]: () => watch.end() })
}

async function moveHere(): Promise<void> {
  await delegateTo(pair)
  const start = performance.now()
  await client.untilDomain(
    id,
    (domain) => conditionOf(domain, 'delegated').status === 'met',
    60_000,
  )
  seen(`Mailstead knows of its delegation after ${Math.round(performance.now() - start)} ms`)
  await until(
    async () => watch.origin,
    (origin) => pair.includes(origin),
  )
  await client.untilDomain(
    id,
    (domain) => conditionOf(domain, 'records_published')?.reason === 'mx_in_use',
  )
  seen('the resolver asks us; its mail is left where it is')
  await delay(SETTLED_MS)
}

async function moveBack(): Promise<void> {
  await delegateTo(OLD.map(({ title }) => title))
  await client.post(`/domains/${id}/check`)
  await until(
    async () => watch.origin,
    (origin) => origin === OLD[0]!.title,
  )
  seen('the resolver asks the old servers again')
  await delay(SETTLED_MS)
}

async function delegateTo(nameservers: readonly string[]): Promise<void> {
  await rig(['delegate', name, '--ttl', String(TTL_S), ...nameservers])
  assert.deepEqual(await shownBy(PARENT, name), nameservers.toSorted())
  seen(`delegated: ${nameservers.join(' ')}`)
}

function report(): void {
  const titles = [...OLD, ...OURS, RESOLVER].map(({ title }) => title)
  for (const title of titles) assert.ok(watch.compared.get(title), `${title} was not asked`)
  seen(titles.map((title) => `${title}: ${watch.compared.get(title)} answers`).join(', '))
  for (const { server, answer, questions, first, last, times } of watch.deviations.values()) {
    seen(`DIFFERS: ${server}, ${times} times, ${first} to ${last} ms after the parent changed:`)
    seen(`  ${answer}`)
    seen(`  to ${[...questions].join(', ')}`)
  }
  if (watch.deviations.size > 0) process.exit(1)
  seen('no answer differed from what it was at the beginning')
}

async function removeIt(): Promise<void> {
  await client.delete(`/domains/${id}`)
  await client.untilRemoval(id, 'done')
  seen('removed at Mailstead')
}
