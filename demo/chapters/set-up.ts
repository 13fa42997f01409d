/** A domain is added, delegated, and queried from outside. */
import { askNameserver } from '../questions.ts'
import { inSeconds } from '../screen.ts'
import type { Added, DnsRecord, Domain } from '../shapes.ts'
import { metAt, stageRows } from '../stages.ts'
import type { Teller } from '../teller.ts'
import { expect } from '../unexpected.ts'

const SHOP = 'shop.example'

export async function addDomain({ screen, client, times }: Teller): Promise<Added> {
  screen.chapter('2. Add a domain')
  screen.act(`POST /api/public/v1/domains {"domain":"${SHOP}"}`)
  const beganAt = performance.now()
  const shop = await client.addDomain(SHOP)
  times.set('Domain added → its nameservers shown', performance.now() - beganAt)
  expect(shop.nameservers.length === 2, `${SHOP} was added, but no nameservers were shown.`)
  screen.say(`${SHOP} is ${shop.status}: it waits for its owner, who is to set these`)
  screen.say('nameservers at the registrar:')
  screen.quote(...shop.nameservers)
  return shop
}

export async function setNameservers(teller: Teller, shop: Added): Promise<void> {
  const { screen, client, times } = teller
  screen.chapter('3. Set the nameservers at the registrar')
  screen.say('That is all the owner has to do. Nobody tells Mailstead: it finds out by')
  screen.say('asking the servers of the parent zone, every two seconds at first.')
  screen.act(`PUT /api/sandbox/v1/registrar/${SHOP}/nameservers`)
  const { published_at } = await client.delegate(SHOP, shop.nameservers)
  const publishedAt = Date.parse(published_at)
  const active = await watch(teller, shop, publishedAt)
  const seenAt = metAt(active, 'delegated')
  const activeAt = Date.parse(active.activated_at!)
  times.set('Delegation published → seen', seenAt - publishedAt)
  times.set('Delegation seen → ACTIVE', activeAt - seenAt)
  screen.say(
    `${SHOP} is ACTIVE, ${inSeconds(activeAt - publishedAt)} after its parent zone published them.`,
  )
}

async function watch(
  { screen, client }: Teller,
  { domain_id }: Added,
  publishedAt: number,
): Promise<Domain> {
  let seen = await client.domain(domain_id)
  const look = async () => {
    seen = await client.domain(domain_id)
    return seen
  }
  const isSettled = ({ status }: Domain) => status === 'ACTIVE' || status === 'FAILED'
  await screen.during(client.until(`${SHOP} to become ACTIVE`, look, isSettled), () =>
    stageRows(seen, publishedAt),
  )
  const failed = seen.conditions.find(({ status }) => status === 'failed')
  expect(seen.status === 'ACTIVE', `${SHOP} is ${seen.status}: ${failed?.message}`)
  return seen
}

export async function askTheNameserver(teller: Teller, { domain_id }: Added): Promise<void> {
  const { screen, client, product } = teller
  screen.chapter('4. Ask the nameserver')
  screen.say('These records were made for it. Nobody had to copy them anywhere.')
  screen.act(`dig @${product.dns.replace(':', ' -p ')} +noall +answer NAME TYPE`)
  const { dns_records } = await client.domain(domain_id)
  for (const purpose of ['mx', 'spf', 'dkim', 'dmarc']) {
    const record = dns_records.find((each) => each.purpose === purpose)
    expect(record !== undefined, `The API shows no ${purpose} record.`)
    await askFor(teller, record)
  }
}

async function askFor({ screen, product, signal }: Teller, record: DnsRecord): Promise<void> {
  const { name, type } = record
  const { rcode, isAuthoritative, records } = await askNameserver(product.dns, name, type, signal)
  const wanted = type === 'MX' ? `${record.priority} ${record.value}` : `"${record.value}"`
  const found = records.find(({ rdata }) => rdata === wanted)
  expect(
    rcode === 'NOERROR' && isAuthoritative && found !== undefined,
    `The nameserver should answer ${name} ${type} with ${wanted}; it answered ${rcode}, ${JSON.stringify(records)}`,
  )
  const line = `${found.owner} ${shortened(found.rdata)}`
  screen.quote(...(line.length <= 72 ? [line] : [found.owner, `  ${shortened(found.rdata)}`]))
}

/** Cuts off most of a key. */
const shortened = (rdata: string): string =>
  rdata.replace(
    /p=([\w+/=]{30})[\w+/=]{40,}"/,
    (_, head) => `p=${head}…" (${rdata.length - 2} characters)`,
  )

export async function readVerdicts({ screen, client }: Teller, shop: Added): Promise<void> {
  screen.chapter('5. What Mailstead itself found out')
  screen.act('GET /api/public/v1/domains/{domain_id}')
  const { status, conditions, sending } = await client.domain(shop.domain_id)
  expect(status === 'ACTIVE', `${SHOP} should stay ACTIVE, and is ${status}.`)
  expect(sending.allowed, `${SHOP} is active, but may not send: ${sending.reason}.`)
  for (const { type, status } of conditions) screen.quote(`${type.padEnd(18)} ${status}`)
  screen.say(`So ${SHOP} is ${status}, and may send. The last condition says that a`)
  screen.say('message was really sent, received, and judged by its SPF, DKIM and DMARC.')
}
