/** The domain is removed without a trace: each proof is an answer of the running product. */
import { askNameserver, offerMail } from '../questions.ts'
import type { Added } from '../shapes.ts'
import type { Teller } from '../teller.ts'
import { expect } from '../unexpected.ts'

export async function takeAway({ screen, client, times }: Teller, shop: Added): Promise<void> {
  const { domain_id, domain_name } = shop
  screen.chapter('9. Take the domain away')
  screen.say('First its owner takes the nameservers away at the registrar, then the domain.')
  screen.act(`DELETE /api/sandbox/v1/registrar/${domain_name}/nameservers`)
  await client.undelegate(domain_name)
  screen.act('DELETE /api/public/v1/domains/{domain_id}')
  const beganAt = performance.now()
  await client.deleteDomain(domain_id)
  const { steps } = await client.until(
    'the removal to be done',
    () => client.removal(domain_id),
    ({ state }) => state === 'done',
  )
  times.set('Domain deleted → everything removed', performance.now() - beganAt)
  expect(
    steps.every(({ state }) => state === 'removed'),
    `The removal is done, but not all its steps are: ${JSON.stringify(steps)}`,
  )
  screen.say(`All ${steps.length} things made for it were removed, the last one first.`)
}

export async function proveNothingIsLeft(
  teller: Teller,
  shop: Added,
  address: string,
): Promise<void> {
  teller.screen.chapter('10. Nothing is left')
  await proveApiForgot(teller, shop)
  await proveNameserverRefuses(teller, shop)
  await proveMailIsRefused(teller, address)
  const { conversations } = await teller.client.replies()
  expect(conversations.length === 1, 'The conversation went with the domain; it should stay.')
  teller.screen.say('What stays is the conversation: received mail is its owner’s.')
}

async function proveApiForgot({ screen, client }: Teller, shop: Added): Promise<void> {
  const { domain_id, domain_name } = shop
  const status = await client.domainStatusCode(domain_id)
  expect(status === 404, `The API should answer 404 for ${domain_name}; it answered ${status}.`)
  screen.proved('The API answers 404 for it.')
  const { domains } = await client.domains()
  expect(
    domains.every((each) => each.domain_name !== domain_name),
    `${domain_name} is still in the list of domains.`,
  )
  screen.proved('The list of domains is without it.')
  const { sender_accounts } = await client.inboxes()
  expect(sender_accounts.length === 0, `The inbox of ${domain_name} is still there.`)
  screen.proved('The list of inboxes is empty.')
  const { state } = await client.removal(domain_id)
  expect(state === 'done', `The removal was done, and now is ${state}.`)
  screen.proved('Its removal is done.')
}

async function proveNameserverRefuses(teller: Teller, { domain_name }: Added): Promise<void> {
  const { screen, client, product, signal } = teller
  const { rcode } = await client.until(
    `the nameserver to refuse questions about ${domain_name}`,
    () => askNameserver(product.dns, domain_name, 'MX', signal),
    (reply) => reply.rcode === 'REFUSED',
  )
  screen.proved(`The nameserver answers ${rcode} to questions about it.`)
}

async function proveMailIsRefused(
  { screen, product, signal }: Teller,
  address: string,
): Promise<void> {
  const talk = await offerMail(product.smtp, address, signal)
  const { said, reply } = talk.at(-1)!
  expect(/^55\d /.test(reply), `Mail to ${address} should be refused; the answer was: ${reply}`)
  screen.proved('Mail to it is refused:')
  screen.quote(`> ${said}`, `< ${reply}`)
}
