/** What users, registrars and time do to a house, one step at a time. A step that finds nothing to act on does nothing. */
import { sql } from 'kysely'
import type { Answer, Client, Json } from '../client.ts'
import type { Estate } from './estate.ts'
import type { Act, Step } from './sequence.ts'

const STRANGERS = ['ns1.elsewhere.example', 'ns2.elsewhere.example']
const DS = `12345 13 2 ${'ab'.repeat(32)}`
const OUTCOMES = ['rejected', 'throttled', 'unavailable', 'slow']
const STAGES = [
  'zone_ready',
  'sender_registered',
  'mail_domain_ready',
  'records_published',
  'sender_verified',
  'mail_proven',
]

type Scene = {
  estate: Estate
  client: Client
  /** The full name, and the user's domain of that name, if any. */
  name: string
  domain: Json
  pair: readonly string[]
  /** A number that is the same whenever the sequence is repeated. */
  turn: number
}

/** Carries a step out; throws when a call is answered with an error of the server's. */
export async function perform(
  estate: Estate,
  realm: string,
  step: Step,
  turn: number,
): Promise<void> {
  const client = estate.now().users[step.who]
  const name = `${step.name}.${realm}.test`
  const domain = await domainOf(client, name)
  const scene = { estate, client, name, domain, pair: domain?.nameservers ?? [], turn }
  const answer = await ACTIONS[step.act](scene)
  if (answer && answer.status >= 500) {
    throw new Error(`${step.act} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
}

export async function domainOf(client: Client, name: string): Promise<Json> {
  const { body } = await client.get(`/domains?search=${name}`)
  const found = body.domains.find((each: Json) => each.domain === name || each.domain_name === name)
  return found && (await client.get(`/domains/${found.domain_id}`)).body
}

const ACTIONS: Record<Act, (scene: Scene) => Promise<Answer | undefined>> = {
  // What strangers' servers serve is looked for in vain, and for long.
  add: ({ client, name, turn }) =>
    client.post('/domains', { domain: name, import_records: turn % 4 === 0 }),
  'delegate-own': ({ client, name, pair }) => delegate(client, name, pair),
  'delegate-half': ({ client, name, pair }) => delegate(client, name, pair.slice(0, 1)),
  'delegate-strangers': ({ client, name }) => delegate(client, name, STRANGERS),
  'delegate-mixed': ({ client, name, pair }) =>
    delegate(client, name, pair.length > 0 ? [...pair, ...STRANGERS] : []),
  'delegate-with-ds': ({ client, name, pair }) => delegate(client, name, pair, { ds: [DS] }),
  undelegate: ({ client, name }) => client.undelegate(name),
  activate: ({ client, domain }) => act(client, domain, 'activate'),
  check: ({ client, domain }) => act(client, domain, 'check'),
  delete: async ({ client, domain }) =>
    domain && (await client.delete(`/domains/${domain.domain_id}`)),
  misbehave: ({ client, name, turn }) => {
    const stage = STAGES[turn % STAGES.length]!
    return client.misbehave(name, stage, OUTCOMES[turn % OUTCOMES.length]!, 1 + (turn % 3))
  },
  'misbehave-parent': ({ client, name, turn }) =>
    client.misbehave(name, 'delegated', turn % 2 ? 'rejected' : 'throttled', 4),
  crash: async ({ estate }) => {
    await estate.crash()
    return undefined
  },
  cut: addCut,
  uncut: removeCut,
  'age-loss': (scene) =>
    age(
      scene,
      (id) => sql`update domains set delegation = jsonb_set(delegation, '{lostAt}',
        to_jsonb((now() - interval '11 minutes')::text)) where id = ${id} and delegation ? 'lostAt'`,
    ),
  'age-conditions': (scene) =>
    age(
      scene,
      (id) => sql`update conditions set since = since - interval '4 days' where domain_id = ${id}`,
    ),
  'age-looks': (scene) =>
    age(
      scene,
      (id) => sql`with looks as (
          update conditions set last_look_at = last_look_at - interval '2 hours' where domain_id = ${id})
        update domains set looked_at = looked_at - interval '2 hours' where id = ${id}`,
    ),
  'age-removals': (scene) =>
    age(
      scene,
      (id) => sql`update domains set removal_requested_at = removal_requested_at - interval '8 days'
        where id = ${id} and removal_requested_at is not null`,
    ),
}

async function delegate(
  client: Client,
  name: string,
  nameservers: readonly string[],
  more?: object,
): Promise<Answer | undefined> {
  return nameservers.length > 0 ? client.delegate(name, nameservers, more) : undefined
}

const act = async (client: Client, domain: Json, what: string) =>
  domain && (await client.post(`/domains/${domain.domain_id}/${what}`))

/** Moves the columns of all domains of the name back, and has them looked at. */
async function age(
  { estate, name }: Scene,
  moved: (id: string) => ReturnType<typeof sql>,
): Promise<undefined> {
  for (const id of await standing(estate, name)) await moved(id).execute(estate.db)
  await wakeAll(estate, name)
}

/** As if each were due. One row after the other: a lock on several could meet another's on the same. */
export async function wakeAll(estate: Estate, ending: string): Promise<void> {
  for (const id of await standing(estate, `%${ending}`)) {
    await sql`update domains set next_at = now(), wake = wake + 1 where id = ${id}`.execute(
      estate.db,
    )
  }
  estate.ring()
}

async function standing({ db }: Estate, pattern: string): Promise<string[]> {
  const rows = await db
    .selectFrom('domains')
    .select('id')
    .where('name', 'like', pattern)
    .where('removed_at', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}

/** The owner of `acme` delegates `mail` in its zone to this user's pair. */
async function addCut({ estate, name, pair }: Scene): Promise<undefined> {
  for (const owner of estate.now().users) {
    const above = await domainOf(owner, name.replace(/^mail\./, ''))
    if (!above || !name.startsWith('mail.')) continue
    for (const value of pair) {
      await owner.post(`/domains/${above.domain_id}/records`, { name: 'mail', type: 'NS', value })
    }
  }
}

async function removeCut({ estate, name }: Scene): Promise<undefined> {
  for (const owner of estate.now().users) {
    const above = await domainOf(owner, name.replace(/^mail\./, ''))
    if (!above || !name.startsWith('mail.')) continue
    const { body } = await owner.get(`/domains/${above.domain_id}/records`)
    for (const { record_id, type, managed } of body.records) {
      if (type === 'NS' && !managed)
        await owner.delete(`/domains/${above.domain_id}/records/${record_id}`)
    }
  }
}
