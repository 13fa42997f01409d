/** Makes an inbox; it sends a mail, and receives another. */
import type { Added, Inbox } from '../shapes.ts'
import type { Teller } from '../teller.ts'
import { expect } from '../unexpected.ts'

const VISITOR = 'visitor@inbox.test'
const QUESTION = { subject: 'Opening hours', text: 'Are you open on Sunday?' }

/** Returns the address of the inbox. */
export async function exchangeMail(teller: Teller, shop: Added): Promise<string> {
  const inbox = await addInbox(teller, shop)
  await sendOut(teller, inbox)
  await takeIn(teller, inbox)
  return inbox.email_address
}

async function addInbox({ screen, client, times }: Teller, shop: Added): Promise<Inbox> {
  screen.chapter('6. Make an inbox')
  screen.act('POST /api/public/v1/sender-accounts/coldsend-native')
  const beganAt = performance.now()
  const inbox = await client.addInbox(shop.domain_id, 'hello', 'The Shop')
  times.set('Inbox made', performance.now() - beganAt)
  const { email_address, overall_status } = inbox
  expect(overall_status === 'ACTIVE', `The inbox should be ACTIVE, and is ${overall_status}.`)
  screen.say(`${email_address} is ${overall_status}.`)
  return inbox
}

async function sendOut({ screen, client, times }: Teller, inbox: Inbox): Promise<void> {
  screen.chapter('7. Send a mail')
  screen.act('POST /api/public/v1/sender-accounts/{inbox_id}/test-email')
  screen.act(`     {"recipient_email":"${VISITOR}"}`)
  const beganAt = performance.now()
  await client.sendTestMail(inbox.inbox_id, VISITOR)
  const { messages } = await client.until(
    `the mail to ${VISITOR}`,
    () => client.mailOutside(VISITOR),
    (seen) => seen.messages.length > 0,
  )
  times.set('Mail sent → arrived outside and judged there', performance.now() - beganAt)
  const { from, to, subject, authentication } = messages[0]!
  const { spf, dkim, dmarc } = authentication
  screen.say('It arrived at a mail server outside, which judged it by what the DNS says:')
  screen.quote(`From:    ${from}`, `To:      ${to}`, `Subject: ${subject}`)
  screen.quote(`SPF ${spf}, DKIM ${dkim}, DMARC ${dmarc}`)
  expect(from === inbox.email_address, `The mail should come from ${inbox.email_address}.`)
  expect(
    [spf, dkim, dmarc].every((result) => result === 'pass'),
    'The mail arrived, but SPF, DKIM and DMARC should all pass.',
  )
}

async function takeIn({ screen, client, times }: Teller, inbox: Inbox): Promise<void> {
  const to = inbox.email_address
  screen.chapter('8. Get a mail')
  screen.act('POST /api/sandbox/v1/mail')
  screen.act(`     {"from":"${VISITOR}","to":"${to}",…}`)
  const beganAt = performance.now()
  await client.sendFromOutside({ from: VISITOR, to, ...QUESTION })
  const { conversations, unread_count } = await client.until(
    `the mail to ${to}`,
    client.replies,
    (seen) => seen.conversations.length > 0,
  )
  times.set('Mail from outside → in the list of conversations', performance.now() - beganAt)
  const { lead_email, subject, last_message_preview } = conversations[0]!
  expect(
    lead_email === VISITOR && last_message_preview === QUESTION.text,
    `A conversation began, but not the one expected: ${JSON.stringify(conversations)}`,
  )
  screen.act('GET /api/public/v1/replies')
  screen.say(`${conversations.length} conversation, ${unread_count} unread:`)
  screen.quote(`${lead_email}: ${subject}`, `“${last_message_preview}”`)
}
