/** The contract of a mailbox service as tests. Every mailbox driver passes them, or has an excuse. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { absolute, isWithin, relative } from '#names/domain-name.ts'
import type { ClaimRef, MailboxDriver, NeededRecord } from './contract.ts'

/**
 * A driver with all that its tests need, whether in memory, with an emulator, or live. `claim` and
 * `rival` are claims on one name; neither has a mail domain yet.
 */
export type Bench = AsyncDisposable & { driver: MailboxDriver; claim: ClaimRef; rival: ClaimRef }

type Check = (mail: MailService, bench: Bench, signal: AbortSignal) => Promise<void>
export type Excuses = Partial<Record<CheckName, string>>
export type CheckName = keyof typeof CHECKS

/** Localparts that a service may sort or spell wrongly; in the order of their octets. */
const LOCALPARTS = [
  "!#$%&'*+-/=?^_`{|}~",
  '0',
  'a',
  'a%b',
  'a+b',
  'a-b',
  'a.b',
  'a1',
  'a_b',
  'aa',
  'ab',
  'b',
  'dmarc-0123456789ab',
  'x'.repeat(64),
]

const CHECKS = {
  'ensureDomain is safe to repeat and asks for the same records': async (mail) => {
    assert.deepEqual(await mail.ensure(), await mail.ensure())
  },
  'ensureDomain is safe to run many times at once': async (mail) => {
    const answers = await Promise.all(Array.from({ length: 5 }, mail.ensure))
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.deepEqual(await mail.list(), [])
  },
  'the records it asks for lie in the domain and can be put in a zone': async (mail, { claim }) => {
    for (const { name, ttl, data } of await mail.ensure()) {
      assert.equal(name, absolute(name), 'absolute and in lower case')
      assert.ok(isWithin(relative(name), claim.name), name)
      assert.ok(Number.isInteger(ttl) && ttl > 0, `TTL ${ttl}`)
      assert.ok(data.length > 0 && data.every((value) => value !== ''), name)
    }
  },
  'among them is an MX at the domain': async (mail, { claim }) => {
    const mx = (await mail.ensure()).filter(({ purpose }) => purpose === 'mx')
    assert.ok(mx.some(({ name, type }) => type === 'MX' && name === absolute(claim.name)))
    for (const value of mx.flatMap(({ data }) => data)) assert.match(value, /^\d{1,5} \S+\.$/)
  },
  'ensureDomain keeps the mailboxes': async (mail) => {
    await mail.ensure()
    await mail.make('kim')
    await mail.ensure()
    assert.deepEqual(await mail.list(), ['kim'])
  },
  'without a mail domain there are no mailboxes, and none can be made': async (mail) => {
    assert.deepEqual(await mail.list(), [])
    await assert.rejects(mail.make('kim'), NO)
    assert.deepEqual(await mail.list(), [])
    await mail.ensure()
    assert.deepEqual(await mail.list(), [])
  },
  'without a mail domain the removal of a mailbox is success': async (mail) => {
    await mail.remove('kim')
  },
  'ensureMailbox is safe to repeat': async (mail) => {
    await mail.ensure()
    await mail.make('kim')
    await mail.make('kim')
    assert.deepEqual(await mail.list(), ['kim'])
  },
  'ensureMailbox is safe to run many times at once': async (mail) => {
    await mail.ensure()
    await Promise.all(['kim', 'lee', 'kim', 'lee', 'kim'].map(mail.make))
    assert.deepEqual(await mail.list(), ['kim', 'lee'])
  },
  'localparts are listed as they were made, in the order of their octets': async (mail) => {
    await mail.ensure()
    const refused: string[] = []
    for (const localpart of LOCALPARTS.toReversed()) {
      if (await mail.make(localpart)) refused.push(localpart)
    }
    assert.deepEqual(
      await mail.list(),
      LOCALPARTS.filter((localpart) => !refused.includes(localpart)),
    )
    assert.ok(
      refused.every((localpart) => !/^[a-z][a-z0-9.-]{0,63}$/.test(localpart)),
      refused.join(),
    )
  },
  'many mailboxes are all listed': async (mail) => {
    const many = Array.from({ length: 120 }, (_, index) => `box${index}`)
    await mail.ensure()
    for (const localpart of many) await mail.make(localpart)
    assert.deepEqual(await mail.list(), many.toSorted())
  },
  'removing a mailbox keeps its neighbours': async (mail) => {
    await mail.ensure()
    for (const localpart of ['a', 'a.b', 'ab', 'a_b', 'a%']) await mail.make(localpart)
    await mail.remove('a')
    await mail.remove('a%')
    await mail.remove('a_b')
    assert.deepEqual(await mail.list(), ['a.b', 'ab'])
  },
  'removeMailbox is safe to repeat, and an absent mailbox is success': async (mail) => {
    await mail.ensure()
    await mail.make('kim')
    await mail.remove('lee')
    await mail.remove('kim')
    await mail.remove('kim')
    assert.deepEqual(await mail.list(), [])
  },
  'removeDomain is safe to repeat, and an absent domain is success': async (mail) => {
    await mail.removeDomain()
    await mail.ensure()
    await mail.make('kim')
    await mail.removeDomain()
    await mail.removeDomain()
  },
  'after removal there are no mailboxes, and none can be made': async (mail) => {
    await mail.ensure()
    await mail.make('kim')
    await mail.removeDomain()
    assert.deepEqual(await mail.list(), [])
    await assert.rejects(mail.make('lee'), NO)
    await mail.remove('kim')
  },
  'a mailbox that is made while its mail domain is removed is made or refused, and then gone':
    async (mail) => {
      for (let turns = 0; turns < 10; turns++) {
        await mail.ensure()
        const [made] = await Promise.allSettled([mail.make('kim'), mail.removeDomain()])
        if (made.status === 'rejected') await assert.rejects(Promise.reject(made.reason), NO)
        await mail.removeDomain()
        assert.deepEqual(await mail.list(), [])
      }
    },
  'a mail domain that is made again has none of its former mailboxes': async (mail) => {
    await mail.ensure()
    await mail.make('kim')
    await mail.removeDomain()
    await mail.ensure()
    assert.deepEqual(await mail.list(), [])
  },
  'two claims on one name do not see each other’s mailboxes': async (mail, { rival }) => {
    const other = mail.of(rival)
    await Promise.all([mail.ensure(), other.ensure()])
    await mail.make('kim')
    await other.make('lee')
    await other.remove('kim')
    assert.deepEqual(await mail.list(), ['kim'])
    assert.deepEqual(await other.list(), ['lee'])
  },
  'a mailbox is not made in the mail domain of another claim': async (mail, { rival }) => {
    await mail.of(rival).ensure()
    await assert.rejects(mail.make('kim'), NO)
    assert.deepEqual(await mail.of(rival).list(), [])
  },
  'removing one claim’s mail domain keeps the other’s': async (mail, { rival }) => {
    const other = mail.of(rival)
    await Promise.all([mail.ensure(), other.ensure()])
    await other.make('lee')
    await mail.removeDomain()
    assert.deepEqual(await other.list(), ['lee'])
    await other.make('kim')
  },
  'a mail domain with another claim’s stamp is neither used nor removed': async (
    mail,
    { rival },
  ) => {
    const other = mail.of(rival)
    await other.ensure()
    await other.make('lee')
    await assert.rejects(mail.ensure(), { name: 'DriverError', kind: 'conflict' })
    await assert.rejects(mail.make('kim'), NO)
    assert.deepEqual(await mail.list(), [])
    await mail.remove('lee')
    await mail.removeDomain()
    assert.deepEqual(await other.list(), ['lee'])
  },
  'once a claim has removed its mail domain, another claim gets one with a key of its own': async (
    mail,
    { rival },
  ) => {
    const other = mail.of(rival)
    const theirs = keysIn(await other.ensure())
    await other.make('lee')
    await other.removeDomain()
    const ours = keysIn(await mail.ensure())
    assert.deepEqual(await mail.list(), [])
    assert.ok(!ours.some((key) => theirs.includes(key)))
  },
  'calls that are aborted under way leave a mail domain that can be finished': async (
    mail,
    { claim },
  ) => {
    for (const afterMs of [0, 2, 5, 10, 20]) {
      const cut = mail.of(claim, AbortSignal.timeout(afterMs))
      await cut.ensure().catch(() => undefined)
      await cut.make('kim').catch(() => undefined)
    }
    await mail.ensure()
    await mail.make('kim')
    assert.deepEqual(await mail.list(), ['kim'])
    for (const afterMs of [0, 2, 5, 10]) {
      await mail
        .of(claim, AbortSignal.timeout(afterMs))
        .removeDomain()
        .catch(() => undefined)
    }
    await mail.removeDomain()
    assert.deepEqual(await mail.list(), [])
  },
  'with an aborted signal every call throws and changes nothing': async (mail, { claim }) => {
    const late = mail.of(claim, AbortSignal.abort())
    await assert.rejects(late.ensure())
    await assert.rejects(mail.make('kim'), NO)
    await mail.ensure()
    await mail.make('kim')
    await assert.rejects(late.make('lee'))
    await assert.rejects(late.remove('kim'))
    await assert.rejects(late.list())
    await assert.rejects(late.removeDomain())
    assert.deepEqual(await mail.list(), ['kim'])
  },
} satisfies Record<string, Check>

const NO = { name: 'DriverError', kind: 'rejected' }

/** Runs every check against a fresh bench, except those excused with a reason. */
export function mailboxDriverConformance(
  name: string,
  open: () => Promise<Bench>,
  excused: Excuses = {},
): void {
  describe(`mailbox driver: ${name}`, () => {
    for (const [check, run] of Object.entries(CHECKS) as [CheckName, Check][]) {
      test(check, { skip: excused[check] ?? false }, async ({ signal }) => {
        await using bench = await open()
        await run(mailOf(bench.driver, bench.claim, signal), bench, signal)
      })
    }
  })
}

const keysIn = (records: readonly NeededRecord[]): string[] =>
  records.filter(({ purpose }) => purpose === 'dkim').flatMap(({ data }) => data)

type MailService = ReturnType<typeof mailOf>

/** The driver's calls for one claim. */
function mailOf(driver: MailboxDriver, claim: ClaimRef, signal: AbortSignal) {
  return {
    ensure: async () => (await driver.ensureDomain(claim, signal)).records,
    removeDomain: () => driver.removeDomain(claim, signal),
    make: (localpart: string) => driver.ensureMailbox(claim, localpart, signal),
    remove: (localpart: string) => driver.removeMailbox(claim, localpart, signal),
    list: () => driver.listMailboxes(claim, signal),
    of: (other: ClaimRef, otherSignal = signal) => mailOf(driver, other, otherSignal),
  }
}
