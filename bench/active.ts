/**
 * How many active live domains a worker can check: checks a second, the queries of each to the DNS and
 * the database, and whether the rate is kept by the parent's own log, with one worker and with two. All
 * domains are copies of one that the product itself made active.
 */

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Client as Postgres } from 'pg'
import { nameserverPool } from '#domains/claims.ts'
import { makeApiKey } from '#names/api-key.ts'
import { sealLabel } from '#store/dkim-keys.ts'
import { openVault } from '#store/vault.ts'
import { newId } from '../src/ids.ts'
import { LABORATORY } from '../test/api/live.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { freePort } from '../test/ports.ts'
import { type Product, startProduct } from '../test/product.ts'
import { figure, target } from './figures.ts'
import { mostInASecond, type Parent, type Question, startParent } from './parent.ts'

const DOMAINS = 10_000
const AT_ONCE = 500
const SERVERS = 13
const BUDGET = 20
const WARM_UP_MS = 10_000
const MEASURED_MS = 30_000
const TARGET_A_SECOND = 100

const ADDRESS = '127.0.14.1'
const TEMPLATE = 'template-of-all.test'
const nameOf = (index: number): string => `active-${index}.test`

export async function active(signal: AbortSignal): Promise<void> {
  const pool = nameserverPool(LABORATORY.MAILSTEAD_NAMESERVER_ZONE, [ADDRESS])
  const glue = Object.fromEntries(pool.map(({ name, address }) => [name, address]))
  await using parent = await startParent(SERVERS, glue)
  await using database = await testDatabase()
  const secret = randomBytes(32)
  const settings = {
    ...LABORATORY,
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('live'),
    MAILSTEAD_SECRET_KEY: secret.toString('base64'),
    MAILSTEAD_LOG_LEVEL: 'warn',
    MAILSTEAD_PARENT_QUERIES_PER_SECOND: String(BUDGET),
    MAILSTEAD_ROOT_HINTS: parent.endpoints.join(),
    MAILSTEAD_DNS_LISTEN: `${ADDRESS}:${await freePort(ADDRESS)}`,
  }
  const db = new Postgres(database.connection)
  await db.connect()
  try {
    figure(`active: ${DOMAINS} domains below ${SERVERS} servers of ${BUDGET} questions a second`)
    await makeTemplate(settings, parent)
    await copyTemplate(db, secret, parent)
    await using _served = await start(settings, 'api,dns')
    await using first = await start(settings, 'worker')
    await allDue(db)
    const one = await measure(db, parent, [first], signal)
    report('one worker', one)
    await using second = await start(settings, 'worker')
    await allDue(db)
    report('two workers', await measure(db, parent, [first, second], signal))
    const isMet = one.checksASecond >= TARGET_A_SECOND
    target(`at least ${TARGET_A_SECOND} checks a second with one`, isMet)
    const most = Math.max(...mostInASecond(parent.log))
    figure(`  most that one server got in any second, from the beginning: ${most}`)
    target(`at most ${BUDGET}`, most <= BUDGET)
  } finally {
    await db.end()
  }
}

/** In its own directory, which is removed with it. */
async function start(settings: Record<string, string>, roles: string): Promise<Product> {
  const directory = await temporaryDirectory()
  const product = await startProduct({
    dataDir: directory.path,
    settings: { ...settings, MAILSTEAD_ROLES: roles },
  })
  const end = product[Symbol.asyncDispose]
  return {
    ...product,
    [Symbol.asyncDispose]: async () => {
      await end()
      await directory[Symbol.asyncDispose]()
    },
  }
}

/** The only domain made as users make them. No outside mail reaches it, so its proof is added later. */
async function makeTemplate(settings: Record<string, string>, parent: Parent): Promise<void> {
  const unproven = { ...settings, MAILSTEAD_RECEIVES_MAIL: 'false' }
  await using product = await start(unproven, 'api,worker,dns')
  const { client } = product
  const { body, status } = await client.post('/domains', { domain: TEMPLATE })
  if (status !== 201) throw new Error(`adding ${TEMPLATE} was answered with ${status}`)
  parent.delegate(TEMPLATE, body.nameservers)
  await client.post(`/domains/${body.domain_id}/activate`)
  await client.untilDomain(body.domain_id, (domain) => domain.status === 'ACTIVE')
}

/** The tables with a domain's rows, and the condition that finds them. */
// biome-ignore format: a table
const TABLES: [table: string, where: string][] = [
  ['domains',        'id = $1'],
  ['claims',         'domain_id = $1'],
  ['holders',        'claim_id = $2'],
  ['conditions',     'domain_id = $1'],
  ['placements',     'claim_id = $2'],
  ['records',        'domain_id = $1'],
  ['zones',          'claim_id = $2'],
  ['served_names',   'name = $3'],
  ['sender_domains', 'claim_id = $2'],
  ['dkim_keys',      'claim_id = $2'],
  ['dkim_selectors', 'name = $3'],
  ['mail_domains',   'claim_id = $2'],
  ['mailboxes',      'claim_id = $2'],
]

type Row = Record<string, unknown>

/** Copies its rows for every name, seals each signing key anew, and adds a judged message. */
async function copyTemplate(db: Postgres, secret: Buffer, parent: Parent): Promise<void> {
  const vault = openVault(secret)
  const found = await db.query(
    'select d.id, c.id as claim, c.nameservers from domains d join claims c on c.domain_id = d.id',
  )
  const { id, claim, nameservers } = found.rows[0]
  const tables: { table: string; text: string }[] = []
  for (const [table, where] of TABLES) {
    // The query gets all three parameters, whichever the table needs.
    const { rows } = await db.query(
      `select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text as text from ${table} t
        where ${where} and ($1::uuid, $2::uuid, $3::text) is not null`,
      [id, claim, TEMPLATE],
    )
    tables.push({ table, text: rows[0].text })
  }
  const privateKey = vault.open(
    JSON.parse(tables.find(({ table }) => table === 'dkim_keys')!.text)[0].private_key,
    sealLabel(claim),
  )
  for (let first = 0; first < DOMAINS; first += AT_ONCE) {
    const copies = Array.from({ length: AT_ONCE }, (_, index) => {
      const name = nameOf(first + index)
      parent.delegate(name, nameservers)
      return { name, id: newId(), claim: newId() }
    })
    for (const { table, text } of tables) {
      const rows = copies.flatMap((copy) =>
        rowsOf(text, { id, claim }, copy).map((row) => {
          if (table === 'records') return { ...row, id: newId() }
          if (table !== 'dkim_keys') return row
          return { ...row, private_key: vault.seal(privateKey, sealLabel(copy.claim)) }
        }),
      )
      await db.query(
        `insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`,
        [JSON.stringify(rows)],
      )
    }
  }
  await db.query('delete from domains where id = $1', [id]).catch(() => undefined)
  await db.query(PROVE)
  await db.query('vacuum analyze')
}

function rowsOf(
  text: string,
  from: { id: string; claim: string },
  to: { name: string; id: string; claim: string },
): Row[] {
  return JSON.parse(
    text
      .replaceAll(TEMPLATE, to.name)
      .replaceAll(from.id, to.id)
      .replaceAll(from.claim, to.claim)
      .replaceAll(from.claim.slice(-12), to.claim.slice(-12)),
  )
}

/** Adds a judged message for each domain, as if sent with its present records. */
const PROVE = `
  with proven as (
    insert into probes (id, domain_id, recipient, fingerprint, sent_at, judged_at, judgement)
    select gen_random_uuid(), d.id, d.id::text, translate(rtrim(encode(sha256(convert_to(
             string_agg(r.name || ' ' || r.type || ' ' || r.value, E'\\n'
                        order by (r.name || ' ' || r.type || ' ' || r.value) collate "C"),
             'UTF8')), 'base64'), '='), '+/', '-_'),
           now(), now(),
           '{"spf":{"result":"pass","aligned":true},"dkim":{"result":"pass","aligned":true},"dmarc":{"result":"pass"}}'
      from domains d join records r on r.domain_id = d.id group by d.id)
  update conditions set verdict = 'met', reason = null, message = null where type = 'mail_proven'`

const allDue = (db: Postgres): Promise<unknown> =>
  db.query('update domains set next_at = now() where removed_at is null')

type Measured = {
  checksASecond: number
  /** CPU time of the worker processes. */
  cpuMsEach: number
  transactionsEach: number
  questions: readonly Question[]
  checks: number
}

async function measure(
  db: Postgres,
  parent: Parent,
  workers: readonly Product[],
  signal: AbortSignal,
): Promise<Measured> {
  await delay(WARM_UP_MS, undefined, { signal })
  const [before, cpuBefore, from] = [await counted(db), await cpuOf(workers), Date.now()]
  await delay(MEASURED_MS, undefined, { signal })
  const [after, cpuAfter, to] = [await counted(db), await cpuOf(workers), Date.now()]
  const checks = after.checks - before.checks
  return {
    checks,
    checksASecond: (checks * 1000) / (to - from),
    cpuMsEach: (cpuAfter - cpuBefore) / checks,
    transactionsEach: (after.transactions - before.transactions) / checks,
    questions: parent.log.filter(({ at }) => at >= from && at < to),
  }
}

/** CPU milliseconds of the processes so far; 0 where the system does not report them. */
async function cpuOf(workers: readonly Product[]): Promise<number> {
  const each = await Promise.all(
    workers.map(async ({ pid }) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      // proc(5): after the name in brackets, fields 12 and 13 are user and system time, in 10 ms.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
    }),
  )
  return each.reduce((sum, ms) => sum + ms, 0)
}

async function counted(db: Postgres): Promise<{ checks: number; transactions: number }> {
  const { rows } = await db.query(`
    select (select sum(epoch)::float8 from domains) as checks,
           (select xact_commit::float8 from pg_stat_database where datname = current_database())
             as transactions,
           (select count(*)::int from domains where status <> 'ACTIVE' or failures > 0) as unwell`)
  if (rows[0].unwell > 0) throw new Error(`${rows[0].unwell} domains are not as they should be`)
  return rows[0]
}

function report(what: string, { checks, questions, ...each }: Measured): void {
  figure(`  ${what}: ${each.checksASecond.toFixed(1)} checks a second`)
  figure(`    ${each.cpuMsEach.toFixed(1)} ms of the workers' CPU for each check`)
  figure(`    ${each.transactionsEach.toFixed(1)} transactions of the database for each check`)
  const kinds = Object.groupBy(questions, ({ name, type }) =>
    name.startsWith('active-') ? `${type} of the domain` : `${type} of ${name}`,
  )
  for (const [kind, asked = []] of Object.entries(kinds)) {
    const share = (asked.length / checks).toFixed(2)
    if (share !== '0.00') figure(`    ${share} questions to the parent for each: ${kind}`)
  }
}
