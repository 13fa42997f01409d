/** The contract of a sender service as tests. Every sender driver passes them, or has an excuse. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { compose, type PlainMessage } from '#mail/outgoing/compose.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { absolute, isWithin, relative } from '#names/domain-name.ts'
import { isSpf } from '#policy/spf.ts'
import { DriverError } from '../errors.ts'
import type { ClaimRef, Identity, NeededRecord, SenderDriver, Verification } from './contract.ts'

/**
 * A driver with all that its tests need, whether in memory, with an emulator, or live. `claim` and
 * `rival` are claims on one name; neither is registered yet, and nothing is published.
 */
export type Bench = AsyncDisposable & {
  driver: SenderDriver
  claim: ClaimRef
  rival: ClaimRef
  /** Replaces all records that the service finds in the DNS by these. */
  publish(records: readonly NeededRecord[]): Promise<void>
  /** From now on the service cannot query the DNS, or cannot be reached itself. */
  silence(): Promise<void>
  /** How long the service may take; without it, a few looks suffice. */
  patience?: Patience
}

/** The waits between looks at a slow service, in milliseconds; after the last one the test fails. */
export type Patience = readonly number[]
const A_FEW_LOOKS: Patience = Array.from({ length: 20 }, () => 5)

type Check = (sender: Sender, bench: Bench, signal: AbortSignal) => Promise<void>
export type Excuses = Partial<Record<CheckName, string>>
export type CheckName = keyof typeof CHECKS

const CHECKS = {
  'ensureDomain is safe to repeat and asks for the same records': async (sender) => {
    assert.deepEqual(await sender.ensure(), await sender.ensure())
  },
  'ensureDomain is safe to run many times at once': async (sender) => {
    const answers = await Promise.all(Array.from({ length: 5 }, sender.ensure))
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.deepEqual(await sender.ensure(), answers[0])
  },
  'the records it asks for lie in the domain and can be put in a zone': async (
    sender,
    { claim },
  ) => {
    const records = await sender.ensure()
    assert.ok(records.length > 0)
    for (const { name, ttl, data } of records) {
      assert.equal(name, absolute(name), 'absolute and in lower case')
      assert.ok(isWithin(relative(name), claim.name), name)
      assert.ok(Number.isInteger(ttl) && ttl > 0, `TTL ${ttl}`)
      assert.ok(data.length > 0 && data.every((value) => value !== ''), name)
    }
  },
  'who promises SPF asks for an SPF policy at the domain': async (sender, { driver, claim }) => {
    const policies = (await sender.ensure()).filter(({ purpose }) => purpose === 'spf')
    for (const { type, data } of policies) {
      assert.equal(type, 'TXT')
      assert.ok(data.every(isSpf), data.join())
    }
    const isAtDomain = policies.some(({ name }) => name === absolute(claim.name))
    assert.ok(isAtDomain || !driver.promisesSpf)
  },
  'two claims on one name get keys or codes of their own': async (sender, { rival }) => {
    const ours = provingValues(await sender.ensure())
    const theirs = provingValues(await sender.of(rival).ensure())
    assert.ok(ours.length > 0 && theirs.length > 0)
    assert.ok(!ours.some((value) => theirs.includes(value)))
  },
  'verifyDomain waits, with a reason, while nothing is published': async (sender) => {
    await sender.ensure()
    const verification = await sender.verify()
    assert.equal(verification.is, 'waiting')
    assert.match('reason' in verification ? verification.reason : '', /^[a-z][a-z_]+$/)
    assert.match('message' in verification ? verification.message : '', /\S \S.*\.$/)
  },
  'verifyDomain waits while only another claim’s records are published': async (
    sender,
    { rival, publish },
  ) => {
    await sender.ensure()
    await publish(await sender.of(rival).ensure())
    assert.equal((await sender.verify()).is, 'waiting')
  },
  'verifyDomain is content with what ensureDomain asked for, and safe to repeat': async (
    sender,
    { publish },
  ) => {
    await publish(await sender.ensure())
    assert.deepEqual(await sender.untilVerified(), { is: 'verified' })
    assert.deepEqual(await sender.untilVerified(), { is: 'verified' })
  },
  'verifyDomain sees that records are gone again': async (sender, { publish }) => {
    await publish(await sender.ensure())
    assert.equal((await sender.untilVerified()).is, 'verified')
    await publish([])
    assert.equal((await sender.verify()).is, 'waiting')
  },
  'verifyDomain throws when it could not ask': async (sender, { publish, silence }) => {
    await publish(await sender.ensure())
    await silence()
    await assert.rejects(sender.verify())
  },
  'verifyDomain of an unregistered domain is rejected': async (sender) => {
    await assert.rejects(sender.verify(), NO)
  },
  'sending for an unregistered domain is rejected': async (sender, { rival }) => {
    await sender.of(rival).ensure()
    await assert.rejects(sender.send(), NO)
  },
  'a message may be handed over again under its id': async (sender, { publish }) => {
    await publish(await sender.ensure())
    await sender.untilVerified()
    const mail = await sender.send()
    await sender.again(mail)
  },
  'removeDomain is safe to repeat, and an absent domain is success': async (sender) => {
    await sender.remove()
    await sender.ensure()
    await sender.remove()
    await sender.remove()
  },
  'after removal the domain can neither be verified nor send': async (sender, { publish }) => {
    await publish(await sender.ensure())
    await sender.remove()
    await assert.rejects(sender.verify(), NO)
    await assert.rejects(sender.send(), NO)
  },
  'what is sent while the domain is removed is taken over or refused': async (
    sender,
    { publish },
  ) => {
    for (let turns = 0; turns < 5; turns++) {
      await publish(await sender.ensure())
      await sender.untilVerified()
      const [sent] = await Promise.allSettled([sender.send(), sender.remove()])
      if (sent.status === 'rejected') assert.equal(sent.reason.name, 'DriverError')
      await sender.remove()
      await assert.rejects(sender.send(), NO)
    }
  },
  'a removed domain can be registered again': async (sender, { publish }) => {
    await sender.ensure()
    await sender.remove()
    await publish(await sender.ensure())
    assert.equal((await sender.untilVerified()).is, 'verified')
    await sender.send()
  },
  'removing one claim’s domain keeps the other’s': async (sender, { rival, publish }) => {
    const other = sender.of(rival)
    await sender.ensure()
    const records = await other.ensure()
    await publish(records)
    await sender.remove()
    assert.deepEqual(await other.ensure(), records)
    assert.equal((await other.untilVerified()).is, 'verified')
    await other.send()
  },
  'identities are granted and taken away one by one, and listed': async (sender, { publish }) => {
    const { identities } = sender
    assert.ok(identities)
    assert.deepEqual(await identities.list(), [])
    await publish(await sender.ensure())
    assert.equal((await sender.untilVerified()).is, 'verified')
    for (const localpart of ['lee', 'kim', 'lee']) {
      assert.equal(await identities.ensure({ localpart, displayName: 'Kim Lee' }), undefined)
    }
    assert.deepEqual(await identities.list(), ['kim', 'lee'])
    await identities.remove('lee')
    await identities.remove('lee')
    assert.deepEqual(await identities.list(), ['kim'])
    await sender.remove()
    assert.deepEqual(await identities.list(), [])
  },
  'a registration with another claim’s stamp is neither used nor removed': async (
    sender,
    { rival, publish },
  ) => {
    const other = sender.of(rival)
    await publish(await other.ensure())
    assert.equal((await other.untilVerified()).is, 'verified')
    await assert.rejects(sender.ensure(), { name: 'DriverError', kind: 'conflict' })
    await assert.rejects(sender.verify(), NO)
    await assert.rejects(sender.send(), NO)
    await sender.remove()
    assert.equal((await other.untilVerified()).is, 'verified')
  },
  'once a claim has removed its registration, another claim can have one': async (
    sender,
    { rival, publish },
  ) => {
    const other = sender.of(rival)
    await publish(await other.ensure())
    await other.untilVerified()
    await other.remove()
    await publish(await sender.ensure())
    assert.equal((await sender.untilVerified()).is, 'verified')
    await assert.rejects(other.verify(), NO)
  },
  'calls that are aborted under way leave a registration that can be finished': async (
    sender,
    { claim, publish },
  ) => {
    const cutAt = (afterMs: number) => sender.of(claim, AbortSignal.timeout(afterMs))
    for (const afterMs of [0, 2, 5, 10, 20])
      await cutAt(afterMs)
        .ensure()
        .catch(() => undefined)
    await publish(await sender.ensure())
    for (const afterMs of [0, 2, 5, 10, 20])
      await cutAt(afterMs)
        .verify()
        .catch(() => undefined)
    assert.equal((await sender.untilVerified()).is, 'verified')
    for (const afterMs of [0, 2, 5, 10])
      await cutAt(afterMs)
        .remove()
        .catch(() => undefined)
    await sender.remove()
    await assert.rejects(sender.verify(), NO)
  },
  'with an aborted signal every call throws and changes nothing': async (
    sender,
    { claim, publish },
  ) => {
    const late = sender.of(claim, AbortSignal.abort())
    await assert.rejects(late.ensure())
    await assert.rejects(sender.send(), NO)
    await publish(await sender.ensure())
    await assert.rejects(late.verify())
    await assert.rejects(late.send())
    await assert.rejects(late.remove())
    assert.equal((await sender.untilVerified()).is, 'verified')
    await sender.send()
  },
} satisfies Record<string, Check>

const NO = { name: 'DriverError', kind: 'rejected' }

/** Runs every check against a fresh bench, except those excused with a reason. */
export function senderDriverConformance(
  name: string,
  open: () => Promise<Bench>,
  excused: Excuses = {},
): void {
  describe(`sender driver: ${name}`, () => {
    for (const [check, run] of Object.entries(CHECKS) as [CheckName, Check][]) {
      test(check, { skip: excused[check] ?? false }, async ({ signal }) => {
        await using bench = await open()
        const { driver, claim, patience } = bench
        await run(senderOf(driver, claim, signal, patience), bench, signal)
      })
    }
  })
}

export const MESSAGE: PlainMessage = {
  origin: 'probe',
  author: { localpart: 'kim', displayName: 'Kim Lee' },
  recipient: 'visitor@elsewhere.example',
  subject: 'Grüße',
  text: 'Good day,\nthis is Kim.\n',
  headers: { 'Auto-Submitted': 'auto-generated' },
}

/** From any address if the registration suffices; otherwise from the one every domain may use. */
export const mailFrom = ({ identities, standingAuthor }: SenderDriver, { name }: ClaimRef) =>
  compose(
    identities ? { ...MESSAGE, author: { ...MESSAGE.author, localpart: standingAuthor } } : MESSAGE,
    name,
  )

type Sender = ReturnType<typeof senderOf>

/** The driver's calls for one claim, repeated as patience allows. */
function senderOf(
  driver: SenderDriver,
  claim: ClaimRef,
  signal: AbortSignal,
  patience: Patience = A_FEW_LOOKS,
) {
  const verify = () => driver.verifyDomain(claim, signal)
  return {
    ensure: () => registered(driver, claim, signal, patience),
    /** The service's verdict once its check has ended. */
    verify: () => looked(verify, (found) => !isUnderWay(found), patience),
    untilVerified: () => looked(verify, ({ is }) => is !== 'waiting', patience),
    identities: identitiesOf(driver, claim, signal),
    remove: () => insisted(() => driver.removeDomain(claim, signal), patience),
    send: async () => {
      const mail = await mailFrom(driver, claim)
      await insisted(() => driver.send(claim, mail, signal), patience)
      return mail
    },
    again: (mail: OutgoingMail) => driver.send(claim, mail, signal),
    of: (other: ClaimRef, otherSignal = signal) => senderOf(driver, other, otherSignal, patience),
  }
}

const isUnderWay = (found: Verification): boolean =>
  found.is === 'waiting' && found.reason === 'under_way'

/** Looks again while the service is still making the registration. */
export async function registered(
  driver: SenderDriver,
  claim: ClaimRef,
  signal: AbortSignal,
  patience: Patience = A_FEW_LOOKS,
) {
  const look = () => driver.ensureDomain(claim, signal)
  const found = await looked(look, ({ is }) => is === 'registered', patience)
  if (found.is === 'registered') return found.records
  throw new Error(`the registration was not made in time: ${found.message}`)
}

/** Looks until it is settled or patience has run out; returns what it saw last. */
async function looked<T>(
  look: () => Promise<T>,
  isSettled: (seen: T) => boolean,
  patience: Patience,
): Promise<T> {
  for (const pauseMs of patience) {
    const seen = await look()
    if (isSettled(seen)) return seen
    await delay(pauseMs)
  }
  return look()
}

/** Repeats a call while the service answers "not yet", as the engine does. */
async function insisted<T>(ask: () => Promise<T>, patience: Patience): Promise<T> {
  for (const pauseMs of patience) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof DriverError && error.kind === 'unavailable')) throw error
      await delay(pauseMs)
    }
  }
  return ask()
}

function identitiesOf({ identities }: SenderDriver, claim: ClaimRef, signal: AbortSignal) {
  return (
    identities && {
      ensure: (identity: Identity) => identities.ensure(claim, identity, signal),
      remove: (localpart: string) => identities.remove(claim, localpart, signal),
      list: () => identities.list(claim, signal),
    }
  )
}

/** The values that differ between claims: keys and verification codes. */
const provingValues = (records: readonly NeededRecord[]): string[] =>
  records
    .filter(({ purpose }) => purpose === 'dkim' || purpose === 'verification')
    .flatMap(({ data }) => data)
