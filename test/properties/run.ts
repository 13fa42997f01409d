/** Carries a sequence out on a realm of names of its own, and tells what broke. */
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { until } from '../client.ts'
import { ask, type Reply } from '../dns.ts'
import { domainOf, perform, wakeAll } from './actions.ts'
import type { Estate } from './estate.ts'
import { brokenAtAnyTime, brokenOnceSettled } from './invariants.ts'
import { NAMES, type Step, written } from './sequence.ts'
import { takeSnapshot } from './snapshot.ts'

const WATCH_EVERY_MS = 40
const SETTLE_LIMIT_MS = 20_000
const END_LIMIT_MS = 20_000
const SERVING_LIMIT_MS = 3000

/** What broke, each with the steps up to there; empty when all held. */
export async function broken(estate: Estate, realm: string, steps: readonly Step[]) {
  const found = new Set<string>()
  let sofar = ''
  const note = (sentences: readonly string[]) => {
    for (const each of sentences) found.add(`after [${sofar}]: ${each}`)
  }
  const stop = new AbortController()
  const watching = watch(estate, realm, note, stop.signal)
  try {
    for (const [turn, step] of steps.entries()) {
      sofar = written(steps.slice(0, turn + 1))
      await perform(estate, realm, step, turn)
      if (step.waits) note(await settledTroubles(estate, realm))
    }
    sofar = `${sofar}; the end`
    note(await endAll(estate, realm))
  } catch (error) {
    note([`threw ${(error as Error).stack}`])
  } finally {
    stop.abort()
    await watching
  }
  return [...found]
}

/** Looks all the while, also in the middle of passes. */
async function watch(
  estate: Estate,
  realm: string,
  note: (sentences: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    note(brokenAtAnyTime(await takeSnapshot(estate, realm)))
    await delay(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}

async function settledTroubles(estate: Estate, realm: string): Promise<string[]> {
  const since = new Date()
  // A pass may wake other domains: the second time they have been looked at too.
  await lookAtAll(estate, realm)
  await lookAtAll(estate, realm)
  const sentences = brokenOnceSettled(await takeSnapshot(estate, realm), since)
  for (const name of NAMES)
    sentences.push(...(await servedWrong(estate, realm, `${name}.${realm}.test`)))
  return sentences
}

/** Wakes every domain and waits until each pass that began after that is over. */
async function lookAtAll(estate: Estate, realm: string): Promise<void> {
  const rows = () =>
    estate.db
      .selectFrom('domains')
      .select(['id', 'epoch', 'lease_until'])
      .where('name', 'like', `%.${realm}.test`)
      .where('removed_at', 'is', null)
      .execute()
  const before = new Map((await rows()).map(({ id, epoch }) => [id, BigInt(epoch)]))
  await wakeAll(estate, `.${realm}.test`)
  const isOver = (row: Awaited<ReturnType<typeof rows>>[number]) =>
    BigInt(row.epoch) > (before.get(row.id) ?? -1n) && !(row.lease_until > new Date())
  await until(rows, (now) => now.every(isOver), SETTLE_LIMIT_MS)
}

/** Our nameserver follows within a moment; what is wrong still after that is wrong. */
async function servedWrong(estate: Estate, realm: string, name: string): Promise<string[]> {
  const deadline = Date.now() + SERVING_LIMIT_MS
  for (;;) {
    const wrong = await servedWrongNow(estate, realm, name)
    if (wrong === undefined) return []
    if (Date.now() > deadline) return [`${name}: ${wrong}`]
    await delay(WATCH_EVERY_MS)
  }
}

async function servedWrongNow(
  estate: Estate,
  realm: string,
  name: string,
): Promise<string | undefined> {
  const { dns } = estate.now()
  const [ns, mx, a] = await Promise.all(
    (['NS', 'MX', 'A'] as const).map((type) => ask(dns, name, type)),
  )
  const { holders, zones } = await takeSnapshot(estate, realm)
  const zone = zones.get(holders.get(name) ?? '')
  const served = valuesOf(ns!, 'NS')
  const data = [...valuesOf(mx!, 'MX'), ...valuesOf(a!, 'A')]
  if (data.length === 0) return undefined
  if (!zone) return `answers ${data} although nobody holds the name`
  if (served.join() === zone.nameservers.toSorted().join()) return undefined
  return `answers ${data} with the nameservers ${served}, and its holder's are ${zone.nameservers}`
}

const valuesOf = ({ answers }: Reply, type: string): string[] =>
  answers
    .filter((answer) => answer.type === type)
    .map(({ data }) => JSON.stringify(data))
    .map(unquoted)
    .toSorted()

const unquoted = (text: string): string => text.replace(/^"|"$/g, '')

/** Everything is undelegated and deleted: soon nothing may be left. */
async function endAll(estate: Estate, realm: string): Promise<string[]> {
  for (const short of NAMES) {
    const name = `${short}.${realm}.test`
    const { users } = estate.now()
    await users[0].sandbox('DELETE', `/outcomes/${name}`)
    await users[0].undelegate(name)
    for (const user of users) {
      const domain = await domainOf(user, name)
      if (domain) await user.delete(`/domains/${domain.domain_id}`)
    }
  }
  // What a look at the parent remembers of zone cuts, it remembers for five minutes: too long for a test.
  await estate.crash()
  const left = async () => {
    await wakeAll(estate, `.${realm}.test`)
    await delay(100)
    return whatIsLeft(estate, realm)
  }
  try {
    await until(left, (each) => each.length === 0, END_LIMIT_MS)
  } catch {
    return [`${await whatIsLeft(estate, realm)} left after everything was removed`]
  }
  return stillAnswered(estate, realm)
}

async function stillAnswered(estate: Estate, realm: string): Promise<string[]> {
  const answered = async () => {
    const { dns } = estate.now()
    const replies = await Promise.all(NAMES.map((each) => ask(dns, `${each}.${realm}.test`, 'SOA')))
    return replies.map(({ rcode }) => rcode).filter((rcode) => rcode !== 'REFUSED')
  }
  const isDone = (each: string[]) => each.length === 0
  return until(answered, isDone, SERVING_LIMIT_MS).catch((error) => [`answered for: ${error}`])
}

async function whatIsLeft({ db }: Estate, realm: string): Promise<string[]> {
  const { rows } = await sql<{ what: string }>`
    with own as (select id, name from claims where name like ${`%.${realm}.test`})
    select 'zones ' || name as what from zones where claim_id in (select id from own)
    union all select 'sender_domains ' || name from sender_domains where claim_id in (select id from own)
    union all select 'mail_domains ' || name from mail_domains where claim_id in (select id from own)
    union all select 'mailboxes ' || localpart from mailboxes where claim_id in (select id from own)
    union all select 'holders ' || name from holders where claim_id in (select id from own)
    union all select 'placements ' || stage from placements
      where removed_at is null and claim_id in (select id from own)
    union all select 'domains ' || name || ' ' || status from domains
      where removed_at is null and name like ${`%.${realm}.test`}`.execute(db)
  return rows.map(({ what }) => what)
}
