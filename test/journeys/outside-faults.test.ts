/**
 * Faults at the calls that outside services get in the life of a domain: whatever goes wrong once, the
 * domain becomes ACTIVE, and is removed without a trace. Here each call meets a few of the faults, and
 * each fault a few of the calls; `npm run torture` has every fault at every call.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { FAULTS, type FaultKind } from '../../emulators/faults.ts'
import type { EmulatorServer } from '../../emulators/server.ts'
import type { Client, Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'

const PROVIDERS = { dns: 'cf', sender: 'azure-west', mailbox: 'mail-1' }
const LIFE_LIMIT_MS = 60_000
const AT_ONCE = 16
const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
/** Of so many pairs of a fault and a call, one is tried. */
const SPARSE = IS_TORTURE ? 1 : 41
const LIMIT_MS = IS_TORTURE ? 1_200_000 : 150_000
/** Hanging is a wait of 20 s, the deadline of a call; the drivers' own tests have it. */
const KINDS = FAULTS.filter((kind) => kind !== 'hangs')

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings, {
  refusedMs: 300,
  failingMs: 100,
  throttledMs: 500,
})
after(() => house[Symbol.asyncDispose]())
outside.bind(house)

const SERVICES = { cf: outside.cloudflare, azure: outside.azure, mailcow: outside.mailcow }

/** From being added to being gone, with an inbox in between. A failed stage is retried, as a user would. */
async function live(client: Client, name: string): Promise<void> {
  const added = await client.post('/domains', { domain: name, providers: PROVIDERS })
  assert.equal(added.status, 201, JSON.stringify(added.body))
  const id: string = added.body.domain_id
  const has = (isWanted: (domain: Json) => boolean) => retried(client, id, isWanted)
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

async function retried(client: Client, id: string, isWanted: (domain: Json) => boolean) {
  let failures = 0
  return client.untilDomain(
    id,
    (domain) => {
      if (domain.status === 'FAILED') {
        assert.ok(domain.failure.retryable && ++failures < 50, JSON.stringify(domain.failure))
        void client.post(`/domains/${id}/activate`)
      }
      return isWanted(domain)
    },
    LIFE_LIMIT_MS,
  )
}

type Step = { service: keyof typeof SERVICES; method: string; target: string }

/** The calls of one undisturbed life, each kind of call once. */
async function stepsOf(name: string): Promise<Step[]> {
  const from = Object.values(SERVICES).map(({ calls }) => calls.length)
  await live(house.client, name)
  const steps = Object.entries(SERVICES).flatMap(([service, { calls }], index) =>
    calls.slice(from[index]).map(({ method, target }) => ({
      service: service as Step['service'],
      method,
      target: kindOf(target, name),
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

test('any fault at any call of any service is survived', { timeout: LIMIT_MS }, async () => {
  const steps = await stepsOf('undisturbed.test')
  const plans = KINDS.flatMap((kind, k) =>
    steps.flatMap((step, s) => ((k + s) % SPARSE === 0 ? [{ kind, step }] : [])),
  )
  let next = 0
  const survived: string[] = []
  const worker = async () => {
    for (let plan = plans[next++]; plan !== undefined; plan = plans[next++]) {
      const { kind, step } = plan
      inject(SERVICES[step.service], step, kind)
      await live(house.client, `f${next}.test`)
      survived.push(`${kind} ${step.method} ${step.target}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  assert.equal(survived.length, plans.length)
  assert.ok(steps.length > 20, `${steps.length} steps`)
})

/** Meets whoever makes this call next: which domain that is does not matter, for all must survive. */
function inject({ faults }: EmulatorServer, { method, target }: Step, kind: FaultKind): void {
  faults.add({ kind, method, target })
}

test('and nothing is left at any of them', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
})
