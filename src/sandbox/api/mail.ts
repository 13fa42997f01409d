import PostalMime from 'postal-mime'
import { z } from 'zod'
import type { Http } from '#api/http/http.ts'
import { Invalid, Problem } from '#api/http/problems.ts'
import { emailAddress, headerText, SUCCESS } from '#api/http/shapes.ts'
import { splitAddress } from '#names/localpart.ts'
import { listSandboxMessages } from '../rows.ts'
import { sandboxMailList, sandboxMailTaken } from './answers.ts'
import { SANDBOX_PREFIX, type SandboxContext, sandboxKey } from './context.ts'

const body = z.object({
  from: emailAddress.describe('The author; an authentic message needs one at `inbox.test`.'),
  to: emailAddress
    .describe('An inbox of a hosted domain.')
    .meta({ examples: ['kim@mail.example.test'] }),
  subject: headerText.max(998).default('').describe('The subject of the message.'),
  text: z.string().max(1_000_000).default('').describe('The message, as plain text.'),
  authentic: z
    .boolean()
    .default(true)
    .describe(
      'Signs the message for `inbox.test`; `false` sends a forged one, without a signature.',
    ),
})

const querystring = z.object({ to: emailAddress })

/** `/mail`: POST sends to a hosted inbox as if from outside; GET shows what arrived at `@inbox.test`. */
export function mailRoutes(app: Http, context: SandboxContext): void {
  const path = `${SANDBOX_PREFIX}/mail`

  app.post(
    path,
    {
      schema: {
        operationId: 'sendFromOutside',
        summary: 'Sends a message to an inbox from an outside mailbox',
        body,
        response: { 202: sandboxMailTaken },
        problems: ['test_key_required', 'mail_not_taken'],
      },
      ...sandboxKey(context),
    },
    async (request, reply) => {
      const mail = request.body
      if (mail.authentic && splitAddress(mail.from)?.domain !== 'inbox.test') {
        const msg =
          'Authentic mail comes from an address @inbox.test; set authentic to false for any other.'
        throw new Invalid([{ loc: ['body', 'from'], msg, type: 'value_error.email' }])
      }
      const result = await context.sendFromOutside(mail)
      if (result.is !== 'sent') throw new Problem('mail_not_taken', { reply: result.reply })
      const { from, to } = mail
      return reply.status(202).send({
        ...SUCCESS,
        message: 'The message was delivered.',
        from,
        to,
        reply: result.reply,
      })
    },
  )

  app.get(
    path,
    {
      schema: {
        operationId: 'listOutsideMail',
        summary: 'Lists the messages that an address at inbox.test received',
        querystring,
        response: { 200: sandboxMailList },
        problems: ['test_key_required'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const rows = await listSandboxMessages(context.store, request.query.to.toLowerCase())
      return { messages: await Promise.all(rows.map(messageView)) }
    },
  )
}

async function messageView(row: Awaited<ReturnType<typeof listSandboxMessages>>[number]) {
  const mail = await PostalMime.parse(row.raw)
  const { spf, dkim, dmarc } = row.authentication
  return {
    from: mail.from?.address ?? row.envelope_sender,
    to: row.recipient,
    subject: mail.subject ?? '',
    text: mail.text ?? '',
    headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])),
    authentication: { spf: spf.result, dkim: dkim.result, dmarc: dmarc.result },
    received_at: row.received_at.toISOString(),
  }
}
