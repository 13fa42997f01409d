/**
 * Faults at the calls that outside services get in the life of a domain: whatever goes wrong once, the
 * domain becomes ACTIVE without ever being FAILED, and is removed without a trace. Here each service
 * meets each fault once; `npm run torture` has every fault at every call.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { FAULTS, type Fault, type FaultKind } from '../../emulators/faults.ts'
import type { EmulatorServer } from '../../emulators/server.ts'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { withoutPdns } from '../pdns.ts'

const LIFE_LIMIT_MS = 60_000
const AT_ONCE = 16
const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
const LIMIT_MS = IS_TORTURE ? 1_200_000 : 150_000
/** Hanging is a wait of 20 s, the deadline of a call; the tests of the drivers' HTTP client have it. */
const KINDS = FAULTS.filter((kind) => kind !== 'hangs')

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings, {
  refusedMs: 300,
  failingMs: 100,
  throttledMs: 500,
  forbiddenMs: 300,
})
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house
/**
 * Which faults made a domain FAILED, and what it then said. A call that names no domain may have been a
 * neighbour's: the sentence tells more than the fault beside it.
 */
const failed = new Set<string>()

const SERVICES: Record<string, EmulatorServer> = {
  cf: outside.cloudflare,
  azure: outside.azure,
  mailcow: outside.mailcow,
  ...(outside.pdns && { pdns: outside.pdns.door }),
}
const ZONE_HOSTS = ['cf', 'pdns'].filter((host) => SERVICES[host])

/**
 * From being added to being gone, with an inbox in between. A failed stage is noted, and retried as a
 * user would, so that one run tells of all that is wrong.
 */
async function live(name: string, dns: string, plan: readonly Mishap[] = []): Promise<void> {
  const providers = { dns, sender: 'azure-west', mailbox: 'mail-1' }
  const added = await client.post('/domains', { domain: name, providers })
  assert.equal(added.status, 201, JSON.stringify(added.body))
  const id: string = added.body.domain_id
  const has = (isWanted: (domain: Json) => boolean) =>
    client.untilDomain(
      id,
      (domain) => {
        if (domain.status === 'FAILED') {
          failed.add(`${sentenceOf(plan)}: ${domain.failure.message}`)
          void client.post(`/domains/${id}/activate`)
        }
        return isWanted(domain)
      },
      LIFE_LIMIT_MS,
    )
  const { nameservers } = await has((domain) => domain.nameservers.length === 2)
  await client.delegate(name, nameservers)
  await has(({ status }) => status === 'ACTIVE')
  const inbox = { domain_id: id, email_prefix: 'kim', display_name: 'Kim' }
  assert.equal((await client.post('/sender-accounts/coldsend-native', inbox)).status, 201)
  await has(({ current_inboxes }) => current_inboxes === 1)
  await client.undelegate(name)
  await client.delete(`/domains/${id}`)
  await client.untilRemoval(id, 'done', LIFE_LIMIT_MS)
}

/** `isAbout` tells whether the call names the domain it is made for. */
type Step = { service: string; method: string; target: string; isAbout: boolean }

type Life = { dns: string; steps: readonly Step[] }

/** The calls of one undisturbed life, each kind of call once. */
async function stepsOf(name: string, dns: string): Promise<Step[]> {
  const from = Object.values(SERVICES).map(({ calls }) => calls.length)
  await live(name, dns)
  const steps = Object.entries(SERVICES).flatMap(([service, { calls }], index) =>
    calls.slice(from[index]).map(({ method, target, body }) => ({
      service,
      method,
      target: kindOf(target, name),
      isAbout: `${target} ${body}`.includes(name),
    })),
  )
  return [...new Map(steps.map((step) => [Object.values(step).join(), step])).values()]
}

/** What is the same in the call for every domain: the last words of its path. */
function kindOf(target: string, name: string): string {
  const path = target.split('?')[0]!
  const words = path
    .split('/')
    .filter((word) => !word.includes(name) && !/^[0-9a-f]{32}$/.test(word))
  return words.at(-1)!
}

type Mishap = { kind: FaultKind; step: Step }
const sentenceOf = (plan: readonly Mishap[]): string =>
  plan
    .map(({ kind, step: { service, method, target } }) => `${kind} ${service} ${method} ${target}`)
    .join(' and ')

/** What goes wrong in one life. */
type Plan = { dns: string; mishaps: readonly Mishap[] }

/** Every fault at every call, one a life; calls that do not go to the zone host, with one of them only. */
const everyPlan = (lives: readonly Life[]): Plan[] =>
  lives.flatMap(({ dns, steps }) => {
    const own = steps.filter(({ service }) => service === dns || dns === lives[0]!.dns)
    return KINDS.flatMap((kind) => own.map((step) => ({ dns, mishaps: [{ kind, step }] })))
  })

/** Every fault at every service, in about as few lives as there are faults: each fault at another call. */
function fewPlans(lives: readonly Life[]): Plan[] {
  const turns = Math.ceil(KINDS.length / lives.length)
  const at = (steps: readonly Step[], service: string, k: number): Mishap => {
    const own = steps.filter((step) => step.service === service)
    const kind = k % KINDS.length
    return { kind: KINDS[kind]!, step: own[Math.floor((kind * own.length) / KINDS.length)]! }
  }
  return lives.flatMap(({ dns, steps }, which) =>
    Array.from({ length: turns }, (_, turn) => {
      const index = which * turns + turn
      // A zone host is there in its own turns only: it gets as many faults at once as there are hosts, far apart.
      const atHost = lives.map((_, each) => at(steps, dns, turn + each * turns))
      const others = [at(steps, 'azure', index + 4), at(steps, 'mailcow', index + 8)]
      return { dns, mishaps: [...atHost, ...others] }
    }),
  )
}

function inject({ kind, step }: Mishap, name: string): void {
  const { service, method, target, isAbout } = step
  const fault: Fault = { kind, method, target, ...(isAbout && { about: name }) }
  SERVICES[service]!.faults.add(fault)
}

if (withoutPdns) test('the lives with PowerDNS', { skip: withoutPdns })

test('any fault at any call of any service is survived', { timeout: LIMIT_MS }, async () => {
  const undisturbed: Life[] = []
  for (const dns of ZONE_HOSTS) {
    const steps = await stepsOf(`undisturbed-${dns}.test`, dns)
    assert.ok(steps.length > 20, `${steps.length} steps`)
    undisturbed.push({ dns, steps })
  }
  const plans = (IS_TORTURE ? everyPlan : fewPlans)(undisturbed)
  let next = 0
  const met = new Set<string>()
  const worker = async () => {
    for (let plan = plans[next++]; plan !== undefined; plan = plans[next++]) {
      const name = `f${next}.test`
      for (const mishap of plan.mishaps) inject(mishap, name)
      await live(name, plan.dns, plan.mishaps)
      for (const { kind, step } of plan.mishaps) met.add(`${kind} ${step.service}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  assert.deepEqual([...failed], [])
  assert.equal(met.size, KINDS.length * Object.keys(SERVICES).length)
  // What is asked once a process may have been asked before.
  const unmet = Object.values(SERVICES).flatMap(({ faults }) => faults.unmet())
  assert.deepEqual(
    unmet.filter(({ about }) => about !== undefined),
    [],
  )
})

test('and nothing is left at any of them', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
})
