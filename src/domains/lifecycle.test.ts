import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryMailboxDriver } from '#drivers/mailbox/memory.ts'
import { memorySenderDriver } from '#drivers/sender/memory.ts'
import { memoryZoneDriver } from '#drivers/zone/memory.ts'
import { absolute } from '#names/domain-name.ts'
import type { ParentAnswer } from '#resolver/parent.ts'
import { days, hours, minutes, seconds } from '../clock.ts'
import { afterLook } from './conditions.ts'
import {
  failedStage,
  firstUnmet,
  isDone,
  LIFECYCLE,
  reconcile,
  stageOf,
  stagesLookedAt,
  statusOf,
  tearDownServices,
} from './lifecycle.ts'
import type { JudgedProbe, OwnedRecord, Ports, Probe, ProbeJudgement, Recorder } from './ports.ts'
import type { Pass } from './step.ts'
import type {
  Condition,
  ConditionType,
  DelegationReport,
  Domain,
  DomainStatus,
  Verdict,
} from './types.ts'

const NOW = new Date('2026-11-01T12:00:00Z')
const met: Verdict = { is: 'met' }
const skipped: Verdict = { is: 'not_applicable', reason: 'r', message: 'm' }
const waiting: Verdict = { is: 'waiting', reason: 'r', message: 'm' }
const failed: Verdict = { is: 'failed', reason: 'r', message: 'm' }

const ORDER = LIFECYCLE.map(({ met: type }) => type)
const before = (ms: number) => new Date(NOW.getTime() - ms)

const condition = (verdict: Verdict, unmetMs = 0): Condition => {
  return {
    verdict,
    since: NOW,
    waitedMs: 0,
    unmetMs,
    lastLookAt: NOW,
    lastLookError: undefined,
    nextLookAt: undefined,
  }
}

/** The first stages have these verdicts, the rest none. */
const conditionsOf = (verdicts: readonly Verdict[]) =>
  new Map(verdicts.map((verdict, index) => [ORDER[index]!, condition(verdict)]))

// biome-ignore format: a table
const STATUSES: [verdicts: Verdict[], expected: DomainStatus][] = [
  [[],                                                    'PENDING'],
  [[waiting],                                             'DNS_CONFIGURING'],
  [[failed],                                              'FAILED'],
  [[met],                                                 'DNS_PENDING'],
  [[skipped],                                             'DNS_PENDING'],
  [[met, waiting],                                        'DNS_PENDING'],
  [[met, failed],                                         'FAILED'],
  [[met, met],                                            'SERVICES_CONFIGURING'],
  [[met, met, waiting],                                   'SERVICES_CONFIGURING'],
  [[met, met, failed],                                    'FAILED'],
  [[met, met, met],                                       'SERVICES_CONFIGURING'],
  [[met, met, met, failed],                               'FAILED'],
  [[met, met, met, met, waiting],                         'SERVICES_CONFIGURING'],
  [[met, met, met, met, met, waiting],                    'SERVICES_CONFIGURING'],
  [[met, met, met, met, met, failed],                     'FAILED'],
  [[met, met, met, met, met, met],                        'SERVICES_CONFIGURING'],
  [[met, met, met, met, met, met, waiting],               'SERVICES_CONFIGURING'],
  [[met, met, met, met, met, met, failed],                'FAILED'],
  [[met, met, met, met, met, met, met],                   'ACTIVE'],
  [[met, met, met, met, skipped, skipped, met],           'ACTIVE'],
  // The first stage not met decides, whatever stands behind it.
  [[waiting, met, met, met, met, met, met],               'DNS_CONFIGURING'],
  [[waiting, failed],                                     'DNS_CONFIGURING'],
  [[met, waiting, met, met, met, met, failed],            'DNS_PENDING'],
  [[met, met, waiting, failed, failed, failed, failed],   'SERVICES_CONFIGURING'],
]

test('a status is read off the first condition that is not met', () => {
  for (const [verdicts, expected] of STATUSES)
    assert.equal(statusOf(conditionsOf(verdicts), false), expected, said(verdicts))
})

const said = (verdicts: readonly Verdict[]): string => verdicts.map(({ is }) => is).join()

// biome-ignore format: a table
const GRACES: [type: ConditionType, graceMs: number][] = [
  ['zone_ready',        hours(1)],
  ['delegated',         days(3)],
  ['sender_registered', hours(1)],
  ['mail_domain_ready', hours(1)],
  ['records_published', days(1)],
  ['sender_verified',   days(1)],
  ['mail_proven',       days(7)],
]

/** All met, but one, which has been otherwise for so long. */
const lost = (type: ConditionType, verdict: Verdict, ms: number) =>
  new Map(ORDER.map((each) => [each, each === type ? condition(verdict, ms) : condition(met)]))

test('an active domain stays active through the grace of what it lost, and not longer', () => {
  for (const [type, graceMs] of GRACES) {
    for (const verdict of [waiting, failed]) {
      const at = (ms: number): DomainStatus => statusOf(lost(type, verdict, ms), true)
      assert.deepEqual([at(0), at(graceMs - 1)], ['ACTIVE', 'ACTIVE'], type)
      assert.deepEqual([at(graceMs), at(days(400))], ['FAILED', 'FAILED'], type)
    }
  }
})

test('there is no grace for a domain that never was active', () => {
  for (const [type] of GRACES) {
    assert.equal(statusOf(lost(type, waiting, 0), false), stageOf(type).status)
    assert.equal(statusOf(lost(type, failed, 0), false), 'FAILED')
  }
})

test('each stage has its own grace, and one of them past it is enough', () => {
  const conditions = lost('mail_proven', waiting, hours(2))
  conditions.set('zone_ready', condition(waiting, hours(2)))
  assert.equal(failedStage(conditions, true)?.met, 'zone_ready')
  conditions.set('zone_ready', condition(met))
  assert.equal(statusOf(conditions, true), 'ACTIVE')
  conditions.set('sender_verified', condition(failed, days(2)))
  conditions.set('delegated', condition(waiting, hours(1)))
  assert.equal(failedStage(conditions, true)?.met, 'sender_verified', 'losing more heals nothing')
})

test('what was taken away with the delegation is judged with it', () => {
  const withdrawn: Verdict = { ...waiting, reason: 'withdrawn' }
  const conditions = lost('delegated', waiting, days(2))
  for (const type of ORDER.slice(2)) conditions.set(type, condition(withdrawn, days(2)))
  assert.equal(statusOf(conditions, true), 'ACTIVE')
  conditions.set('delegated', condition(waiting, days(3)))
  assert.equal(failedStage(conditions, true)?.met, 'delegated')
})

test('a question that is open breaks nothing', () => {
  const asked: Verdict = { ...waiting, reason: 'plan_drops_much' }
  assert.equal(statusOf(lost('records_published', asked, days(29)), true), 'ACTIVE')
  assert.equal(statusOf(lost('records_published', asked, days(30)), true), 'FAILED')
})

test('giving up what an active domain lost does not begin its grace anew', () => {
  for (const [type, graceMs] of GRACES) {
    const stage = stageOf(type)
    const conditions = lost(type, waiting, 0)
    const seen: DomainStatus[] = []
    for (let ms = 0; ms <= stage.giveUpAfterMs + graceMs + hours(2); ms += minutes(30)) {
      const now = new Date(NOW.getTime() + ms)
      const found = afterLook(stage, conditions.get(type), waiting, now)
      conditions.set(type, { ...found, nextLookAt: new Date(now.getTime() + minutes(30)) })
      const status = statusOf(conditions, true)
      if (status !== seen.at(-1)) seen.push(status)
      assert.equal(status, ms < graceMs ? 'ACTIVE' : 'FAILED', `${type} after ${ms / hours(1)} h`)
    }
    assert.deepEqual(seen, ['ACTIVE', 'FAILED'], type)
  }
})

test('every condition has one stage, and the stages one order', () => {
  assert.equal(new Set(ORDER).size, 7)
  for (const type of ORDER) assert.equal(stageOf(type).met, type)
  const statuses = LIFECYCLE.map(({ status }) => status)
  assert.equal([...new Set(statuses)].join(), 'DNS_CONFIGURING,DNS_PENDING,SERVICES_CONFIGURING')
})

test('met and not applicable are done; waiting, failed and unknown are not', () => {
  assert.ok([met, skipped].every(isDone))
  assert.ok(![waiting, failed, undefined].some(isDone))
  assert.equal(firstUnmet(conditionsOf([met, skipped, failed, waiting]))?.met, 'sender_registered')
  assert.equal(firstUnmet(conditionsOf(Array(7).fill(met))), undefined)
  assert.equal(firstUnmet(new Map())?.met, 'zone_ready')
})

const PASS = {
  spf: { result: 'pass', aligned: true },
  dkim: { result: 'pass', aligned: true },
  dmarc: { result: 'pass' },
}

type State = {
  shown: readonly string[]
  /** Whether the parent answers alike for every name. */
  isWildcard: boolean
  /** What the pair itself says of the name. */
  served: ParentAnswer['outcome']
  holds: boolean
  records: readonly OwnedRecord[]
  probe: Probe | undefined
  judged: JudgedProbe | undefined
}

/** A world in memory in which all goes well, until told otherwise. */
function openWorld(changes: Partial<Domain> = {}) {
  const pair = ['ada.ns.example', 'kit.ns.example']
  // biome-ignore format: data
  const claim = { claimId: 'aaaaaaaa-0001', name: 'acme.example', nameservers: pair }
  // biome-ignore format: data
  const domain: Domain = {
    id: 'aaaaaaaa-0002', workspaceId: 'aaaaaaaa-0003', name: claim.name, claim,
    conditions: new Map(), activatedAt: undefined, createdAt: NOW, askedAt: NOW,
    importIsWanted: false, takeMail: false, acceptsDrops: false, pointsAtPool: false, hasOwnRecords: false,
    mayActivate: true, delegation: undefined, ...changes,
  }
  const state: State = {
    shown: pair,
    isWildcard: false,
    served: 'authoritative',
    holds: false,
    records: [],
    probe: undefined,
    judged: undefined,
  }
  const zone = memoryZoneDriver()
  const ports: Ports = {
    zone,
    sender: memorySenderDriver(),
    mailbox: memoryMailboxDriver(),
    observer: {
      look: async (asked) => {
        const shown = asked === claim.name || state.isWildcard ? state.shown : []
        return { parent: 'example', serverCount: 1, answers: [referralTo(shown)] }
      },
      serving: async () => [{ ...referralTo(pair), outcome: state.served, authoritative: true }],
    },
    publicDns: {
      async resolve(name, type, signal) {
        const found = await zone.readZone(claim, signal)
        const rrset = found?.find((each) => each.name === absolute(name) && each.type === type)
        const records = (rrset?.data ?? []).map((data) => ({ name, type, ttl: 300, data }))
        return { rcode: 'NOERROR', records }
      },
    },
    custody: {
      pool: pair,
      drawPair: async () => pair,
      assignPair: async () => undefined,
      enclosingHolder: async () => undefined,
      isZoneTaken: async () => false,
      isDisplaced: async () => false,
      confirm: async () => void Object.assign(state, { holds: true }),
      holds: async () => state.holds,
      isHandingOver: async () => false,
      setPointsAtPool: async () => undefined,
    },
    records: {
      list: async () => state.records,
      replace: async (_domain, records) => void Object.assign(state, { records }),
    },
    customers: {
      list: async () => ({ wanted: [], unwanted: [] }),
      keepImported: async () => undefined,
      drop: async () => undefined,
      forget: async () => undefined,
    },
    surveyor: { survey: async () => ({ records: [], isWhole: true, unanswered: [] }) },
    probes: {
      latest: async () => state.probe,
      lastJudged: async () => state.judged,
      // Judged as soon as it is sent.
      open: async (_domain, { fingerprint }) => {
        state.probe = { fingerprint, sentAt: NOW, judgement: PASS }
      },
      sent: async () => undefined,
      forget: async () => void Object.assign(state, { probe: undefined }),
    },
    inboxes: {
      list: async () => ({ wanted: [{ localpart: 'kim', displayName: 'Kim' }], unwanted: [] }),
      removed: async () => undefined,
      ready: async () => undefined,
      refused: async () => assert.fail('nobody refuses here'),
    },
    redirects: {
      addresses: [],
      wanted: async () => undefined,
      refused: async () => assert.fail('there is no redirect here'),
    },
    clock: { now: () => NOW, sleep: async () => undefined },
    soonestLookMs: seconds(2),
    mailHost: 'mx.mailstead.test',
    probeHost: 'probe.mx.example',
    zoneHost: () => zone,
  }
  const pass: Pass = {
    domain,
    ports,
    signal: new AbortController().signal,
    needs: new Map(),
    refused: new Set(),
    kept: [],
    report: () => undefined,
    addEvent: () => undefined,
  }
  return { ...recorderOf(), pass, ports, state, claim, signal: pass.signal }
}

// biome-ignore format: data
const referralTo = (nameservers: readonly string[]): ParentAnswer => ({
  name: 'a.nic.example', address: '192.0.2.53', transport: 'tcp', authoritative: false, ttl: 300, ms: 1,
  outcome: nameservers.length > 0 ? 'delegated' : 'no_cut', nameservers, ds: [],
})

/** A recorder that keeps what it wrote. */
function recorderOf() {
  const log: string[] = []
  const placed = new Set<ConditionType>()
  const recorder: Recorder = {
    beginStage: async (type) => void log.push(`begin ${type}`),
    recordVerdict: async (type, verdict) => void log.push(`${verdict.is} ${type}`),
    recordRefusal: async () => assert.fail('the stages do not write refusals'),
    recordFailedLook: async () => assert.fail('the stages do not write troubles'),
    nextLookColumns: () => ({}),
    setDelegation: () => undefined,
    addEvent: () => undefined,
    recordPlacement: async (_claim, stage) => {
      placed.add(stage)
      log.push(`placed ${stage}`)
    },
    beginRemoval: () => undefined,
    recordStageRemoved: async (_claim, stage) => {
      placed.delete(stage)
      log.push(`removed ${stage}`)
    },
    placements: placed,
    recordTornDown: async () => undefined,
    recordDomainRemoved: async () => undefined,
  }
  return { recorder, log, placed }
}

/** The verdicts of a log, in its order. */
const verdictsIn = (log: readonly string[]) =>
  log.filter((line) => /^(met|waiting|failed) /.test(line))

// biome-ignore format: a table
const LOOKED_AT: [verdicts: Verdict[], isActive: boolean, expected: number][] = [
  [[],                                  false, 1],
  [[met, waiting],                      false, 2],
  [[met, met, met, waiting, met],       false, 4],
  [[met, met, met, waiting, met],       true,  7],
  [[waiting, met, met],                 true,  7],
  [[met, waiting, met, met, waiting],   true,  2],
  [Array(7).fill(met),                  false, 7],
]

test('a pass comes to all stages of an active domain, unless its delegation is not met', () => {
  for (const [verdicts, isActive, expected] of LOOKED_AT) {
    assert.equal(stagesLookedAt(conditionsOf(verdicts), isActive).length, expected, said(verdicts))
  }
})

describe('a pass', () => {
  test('believes no pair that the parent shows for names nobody has, too', async () => {
    const { pass, recorder, log, state } = openWorld()
    state.isWildcard = true
    await reconcile(pass, recorder)
    assert.equal(state.holds, false)
    assert.deepEqual(verdictsIn(log), ['met zone_ready', 'waiting delegated'])
  })

  test('believes nothing while nobody says whether names that nobody has are answered alike', async () => {
    const { pass, recorder, ports, state, claim } = openWorld()
    const { look } = ports.observer
    ports.observer.look = async (name, ...rest) => {
      const seen = await look(name, ...rest)
      const answers = seen.answers.map((answer) => ({ ...answer, outcome: 'timeout' as const }))
      return name === claim.name ? seen : { ...seen, answers }
    }
    await assert.rejects(reconcile(pass, recorder), { name: 'CouldNotAsk' })
    assert.equal(state.holds, false)
  })

  test('walks the stages from the top; each is begun, and noted as placed, before it acts', async () => {
    const { pass, recorder, log } = openWorld()
    await reconcile(pass, recorder)
    const steps = LIFECYCLE.flatMap(({ met: type, step }) => [
      `begin ${type}`,
      ...(step.remove ? [`placed ${type}`] : []),
      `${type === 'mail_proven' ? 'waiting' : 'met'} ${type}`,
    ])
    assert.deepEqual(log, steps)
  })

  test('that is repeated ends at the same place, and the probe that came back proves it', async () => {
    const { pass, recorder, log, ports, claim, signal } = openWorld()
    await reconcile(pass, recorder)
    const zone = await ports.zone.readZone(claim, signal)
    log.length = 0
    await reconcile(pass, recorder)
    assert.deepEqual(
      verdictsIn(log),
      ORDER.map((type) => `met ${type}`),
    )
    assert.deepEqual(await ports.zone.readZone(claim, signal), zone)
    const mailboxes = await ports.mailbox.listMailboxes(claim, signal)
    assert.ok(['abuse', 'kim', 'postmaster'].every((localpart) => mailboxes.includes(localpart)))
  })

  test('stops at the first stage not met while the domain is not active yet', async () => {
    const { pass, recorder, log, state, placed } = openWorld()
    state.shown = []
    await reconcile(pass, recorder)
    assert.deepEqual(verdictsIn(log), ['met zone_ready', 'waiting delegated'])
    assert.deepEqual([...placed], ['zone_ready'])
  })

  test('looks at an active domain whole, whatever it lost behind the delegation', async () => {
    for (const activatedAt of [undefined, before(days(1))]) {
      const { pass, recorder, log, ports } = openWorld({ activatedAt })
      ports.sender.verifyDomain = async () => waiting
      await reconcile(pass, recorder)
      const looked = verdictsIn(log).map((line) => line.split(' ')[1])
      assert.deepEqual(looked, activatedAt ? ORDER : ORDER.slice(0, 6))
      assert.equal(verdictsIn(log)[5], 'waiting sender_verified')
    }
  })

  test('that cannot look at a stage ends there and writes no verdict on it', async () => {
    const { pass, recorder, log, ports } = openWorld({ activatedAt: before(days(1)) })
    ports.sender.ensureDomain = async () => assert.fail('unreachable')
    await assert.rejects(reconcile(pass, recorder), /unreachable/)
    assert.deepEqual(verdictsIn(log), ['met zone_ready', 'met delegated'])
    assert.equal(log.at(-1), 'placed sender_registered')
  })

  test('without a delegation leaves the mail services of the holder as they are', async () => {
    const { pass, recorder, log, state, placed } = openWorld({ activatedAt: before(days(1)) })
    await reconcile(pass, recorder)
    const all = [...placed]
    state.shown = ['ns1.other.example', 'ns2.other.example']
    log.length = 0
    await reconcile(pass, recorder)
    assert.deepEqual(verdictsIn(log), ['met zone_ready', 'waiting delegated'])
    assert.deepEqual([...placed], all)
  })

  test('asks nobody what a name serves that its parent does not know', async () => {
    const { pass, recorder, ports } = openWorld({ importIsWanted: true })
    const { look } = ports.observer
    ports.observer.look = async (...about) => {
      const seen = await look(...about)
      const nxdomain = { outcome: 'nxdomain' as const, nameservers: [] }
      return { ...seen, answers: seen.answers.map((each) => ({ ...each, ...nxdomain })) }
    }
    ports.surveyor.survey = async () => assert.fail('there is nobody to ask')
    const kept: unknown[] = []
    ports.customers.keepImported = async (_domain, ...found) => void kept.push(found)
    await reconcile(pass, recorder)
    assert.deepEqual(kept, [[[], { state: 'done', note: '' }]])
  })

  test('tells what of an import it leaves behind', async () => {
    const { pass, recorder, ports, state } = openWorld({ importIsWanted: true })
    state.shown = ['ns1.other.example', 'ns2.other.example']
    const rr = (name: string, type: string, data: string) => ({ name, type, ttl: 300, data })
    const found = [
      rr('acme.example', 'A', '192.0.2.1'),
      rr('old.acme.example', 'DNAME', 'new.example.'),
      rr('big.acme.example', 'TXT', 'v'),
    ]
    ports.surveyor.survey = async () => ({ records: found, isWhole: true, unanswered: [] })
    ports.zone.objectionTo = ({ type }) => (type === 'TXT' ? 'not here' : undefined)
    const kept: string[] = []
    ports.customers.keepImported = async (_domain, records) => {
      kept.push(...records.map(({ name }) => name))
    }
    const told: string[] = []
    pass.addEvent = ({ message }) => void told.push(message)
    await reconcile(pass, recorder)
    assert.deepEqual(kept, ['acme.example.'])
    const leftOut = 'DNAME of old.acme.example, TXT of big.acme.example'
    assert.equal(told[0], `Not imported, because the zone host cannot hold it: ${leftOut}.`)
  })

  test('takes no mail away from where it goes before it can come here, wherever the pass may end', async () => {
    const { pass, recorder, ports, claim, signal } = openWorld({ takeMail: true })
    const mx = {
      name: 'acme.example.',
      type: 'MX',
      value: '10 mx.other.example.',
      ttl: 300,
    } as const
    ports.customers.list = async () => ({ wanted: [mx], unwanted: [] })
    const held: string[][] = []
    ports.customers.drop = async (_domain, records) => {
      if (records.length === 0) return
      const zone = await ports.zone.readZone(claim, signal)
      held.push(zone?.find(({ type }) => type === 'MX')?.data.toSorted() ?? [])
    }
    const { resolve } = ports.publicDns
    ports.publicDns.resolve = async () => assert.fail('nobody answers')
    await assert.rejects(reconcile(pass, recorder), /nobody answers/)
    assert.equal(held.length, 0)
    ports.publicDns.resolve = resolve
    await reconcile(pass, recorder)
    assert.equal(held.length, 1)
    assert.ok(
      held[0]!.some((data) => data !== mx.value),
      'ours is there',
    )
  })

  // biome-ignore format: a table
  const ALIASES: [what: string, record: Partial<OwnedRecord>, isInTheWay: boolean][] = [
    ['at a name that a service needs',      { name: 'key._domainkey.acme.example.', purpose: 'dkim' },  true],
    ['to the very same',                    { name: 'key._domainkey.acme.example.', purpose: 'dkim', type: 'CNAME', value: 'a.other.example.' }, false],
    ['to who sets mail programs up',        { name: 'autoconfig.acme.example.', purpose: 'autoconfig' }, false],
    ['at another name',                     { name: 'other._domainkey.acme.example.', purpose: 'dkim' }, false],
  ]
  for (const [what, { name, purpose, type = 'TXT', value = 'v' }, isInTheWay] of ALIASES) {
    test(`${isInTheWay ? 'waits for' : 'minds no'} alias of the customer's ${what}`, async () => {
      const { pass, recorder, log, ports } = openWorld()
      const owner = purpose === 'autoconfig' ? name! : 'key._domainkey.acme.example.'
      const alias = { name: owner, type: 'CNAME', value: 'a.other.example.', ttl: 300 } as const
      ports.customers.list = async () => ({ wanted: [alias], unwanted: [] })
      const needed = { name: name!, type, ttl: 300, data: [value], purpose: purpose! }
      const { ensureDomain } = ports.mailbox
      ports.mailbox.ensureDomain = async (...about) => {
        await ensureDomain(...about)
        return { records: [needed] }
      }
      await reconcile(pass, recorder)
      const verdict = isInTheWay ? 'waiting' : 'met'
      assert.ok(log.includes(`${verdict} records_published`), log.join())
    })
  }

  // biome-ignore format: a table
  const SHOWN: [what: string, shown: string[][], pointsElsewhere: boolean][] = [
    ['its pair, at one server and not yet at the other', [['ada.ns.example', 'kit.ns.example'], ['ns1.other.example']], false],
    ['its pair in another order, and nothing elsewhere', [['kit.ns.example', 'ada.ns.example'], []],                    false],
    ['another pair of the pool at one of them',          [['ada.ns.example', 'kit.ns.example'], ['ada.ns.example', 'bob.ns.example']], true],
    ['one name of the pair alone',                       [['ada.ns.example'], ['ada.ns.example']],                        true],
    ['strangers',                                        [['ns1.other.example'], ['ns1.other.example']],                  false],
  ]
  for (const [what, shown, pointsElsewhere] of SHOWN) {
    test(`may ${pointsElsewhere ? 'not ' : ''}be served early when the parent shows ${what}`, async () => {
      const { pass, recorder, ports } = openWorld({ pointsAtPool: !pointsElsewhere })
      const answers = shown.map((nameservers, index) => {
        return { ...referralTo(nameservers), name: `${index}.nic.example` }
      })
      ports.observer.look = async () => ({ parent: 'example', serverCount: 2, answers })
      ports.custody = {
        ...ports.custody,
        pool: ['ada', 'bob', 'kit'].map((each) => `${each}.ns.example`),
      }
      const noted: boolean[] = []
      ports.custody.setPointsAtPool = async (_claim, isElsewhere) => void noted.push(isElsewhere)
      await reconcile(pass, recorder)
      assert.deepEqual(noted, [pointsElsewhere])
    })
  }

  test('finds an established delegation lame when the pair does not answer, and not before', async () => {
    const { pass, recorder, log, state } = openWorld()
    state.served = 'refused'
    let seen: DelegationReport | undefined
    pass.report = (report) => {
      seen = report
    }
    const standing = async (verdict: Verdict) => {
      pass.domain.conditions = new Map([['delegated', condition(verdict)]])
      if (seen) pass.domain.delegation = seen
      log.length = 0
      await reconcile(pass, recorder)
      return verdictsIn(log)[1]
    }
    assert.equal(await standing(waiting), 'met delegated', 'the first look makes us serve it')
    assert.equal(await standing(met), 'met delegated', 'one sight of it changes nothing')
    assert.equal(seen?.servers[0]?.outcome, 'refused')
    const tenMinutesAgo = before(minutes(10)).toISOString()
    pass.domain.delegation = { ...seen!, lostAt: tenMinutesAgo }
    seen = undefined
    assert.equal(await standing(met), 'waiting delegated')
    assert.equal((seen as DelegationReport | undefined)?.verdict, 'lame')
    assert.equal(
      await standing({ is: 'waiting', reason: 'lame', message: '' }),
      'waiting delegated',
    )
    state.served = 'authoritative'
    assert.equal(await standing({ is: 'waiting', reason: 'lame', message: '' }), 'met delegated')
  })

  test('believes no loss that something in the place of the root servers tells', async () => {
    const { pass, recorder, ports } = openWorld()
    const reports: DelegationReport[] = []
    pass.report = (report) => void reports.push(report)
    await reconcile(pass, recorder)
    pass.domain.delegation = reports.pop()
    pass.domain.conditions = new Map([['delegated', condition(met)]])
    const { look } = ports.observer
    ports.observer.look = async (...about) => {
      const seen = await look(...about)
      const answers = seen.answers.map((each) => ({ ...each, outcome: 'intercepted' as const }))
      return { ...seen, answers }
    }
    await assert.rejects(reconcile(pass, recorder), { name: 'CouldNotAsk', message: /network/ })
    assert.deepEqual(reports, [])
  })

  test('takes the mail services away from a claim that holds its name no more', async () => {
    const { pass, recorder, log, state, placed, ports, claim, signal } = openWorld()
    await reconcile(pass, recorder)
    Object.assign(state, { shown: [], holds: false })
    log.length = 0
    await reconcile(pass, recorder)
    assert.deepEqual(
      log.filter((line) => line.startsWith('removed')),
      ['mail_proven', 'records_published', 'mail_domain_ready', 'sender_registered'].map(
        (stage) => `removed ${stage}`,
      ),
    )
    assert.deepEqual([...placed], ['zone_ready'])
    assert.deepEqual(await ports.zone.readZone(claim, signal), [])
    assert.deepEqual(await ports.mailbox.listMailboxes(claim, signal), [])
    await assert.rejects(ports.sender.verifyDomain(claim, signal))
  })

  // biome-ignore format: a table
  const RENEWALS: [what: string, judgedAs: Partial<ProbeJudgement>, followedAt: Date | undefined, isSame: boolean, expected: string][] = [
    ['whose next message goes out now',           {},                          undefined,        true,  'met mail_proven'],
    ['whose next message went out an hour ago',   {},                          before(hours(1)), true,  'met mail_proven'],
    ['whose next message has been out for a day', {},                          before(days(1)),  true,  'waiting mail_proven'],
    ['of other records',                          {},                          undefined,        false, 'waiting mail_proven'],
    ['that was none',                             { dmarc: { result: 'fail' } }, undefined,      true,  'waiting mail_proven'],
  ]

  for (const [what, judgedAs, followedAt, isSame, expected] of RENEWALS) {
    test(`renews a proof ${what}: ${expected}`, async () => {
      const { pass, recorder, log, state, ports } = openWorld()
      await reconcile(pass, recorder)
      const { fingerprint } = state.probe!
      state.judged = {
        fingerprint: isSame ? fingerprint : 'another',
        judgement: { ...PASS, ...judgedAs },
        followedAt,
      }
      state.probe = { fingerprint, sentAt: before(days(31)), judgement: PASS }
      let sent = 0
      ports.probes.open = async () => void sent++
      log.length = 0
      await reconcile(pass, recorder)
      assert.equal(verdictsIn(log).at(-1), expected)
      assert.equal(sent, 1)
    })
  }

  test('keeps the DMARC policy a domain began with, and asks for it no more', async () => {
    const { pass, recorder, ports, state } = openWorld()
    const { resolve } = ports.publicDns
    const asked: string[] = []
    ports.publicDns.resolve = async (name, type, signal) => {
      asked.push(name)
      const data = 'v=DMARC1; p=none; sp=quarantine'
      const records = [{ name, type, ttl: 300, data }]
      return name === '_dmarc.example' ? { rcode: 'NOERROR', records } : resolve(name, type, signal)
    }
    for (const times of [1, 1]) {
      await reconcile(pass, recorder)
      assert.equal(asked.filter((name) => name === '_dmarc.example').length, times)
      const { value } = state.records.find(({ purpose }) => purpose === 'dmarc')!
      assert.match(value, /p=quarantine/)
    }
  })
})

describe('tearing down', () => {
  test('removes what was placed, in reverse order, and leaves the zone', async () => {
    const { pass, recorder, log, placed, ports, claim, signal } = openWorld()
    await reconcile(pass, recorder)
    log.length = 0
    await tearDownServices(pass, recorder)
    await tearDownServices(pass, recorder)
    assert.deepEqual(log, [
      'removed mail_proven',
      'removed records_published',
      'removed mail_domain_ready',
      'removed sender_registered',
    ])
    assert.deepEqual([...placed], ['zone_ready'])
    assert.deepEqual(await ports.zone.readZone(claim, signal), [])
  })

  test('asks no provider for what was never placed', async () => {
    const { pass, recorder, log, ports } = openWorld()
    ports.sender.removeDomain = async () => assert.fail('not placed')
    ports.mailbox.removeDomain = async () => assert.fail('not placed')
    await tearDownServices(pass, recorder)
    assert.deepEqual(log, [])
  })

  test('that is interrupted goes on where it was', async () => {
    const { pass, recorder, log, placed, ports } = openWorld()
    await reconcile(pass, recorder)
    log.length = 0
    const { removeDomain } = ports.mailbox
    ports.mailbox.removeDomain = async () => assert.fail('unreachable')
    await assert.rejects(tearDownServices(pass, recorder), /unreachable/)
    assert.ok(placed.has('mail_domain_ready') && placed.has('sender_registered'))
    ports.mailbox.removeDomain = removeDomain
    await tearDownServices(pass, recorder)
    assert.equal(new Set(log).size, log.length, 'nothing is removed twice')
    assert.deepEqual([...placed], ['zone_ready'])
  })
})
