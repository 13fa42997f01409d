import { isIP } from 'node:net'
import { z } from 'zod'
import { addSmtpInbox, hasInboxAt } from '#store/smtp-accounts.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { emailAddress, headerText } from '../http/shapes.ts'
import { inboxShown } from './answers.ts'
import { inboxItem } from './inbox-views.ts'

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?'
const HOST_NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`)

const host = z
  .string()
  .min(1)
  .max(253)
  .toLowerCase()
  .refine((written) => isIP(written) !== 0 || HOST_NAME.test(written), 'value is not a host name')
const port = z.int().min(1).max(65_535)
const credential = headerText.min(1).max(1024)

const body = z.object({
  email_address: emailAddress.describe('The address of the inbox.'),
  display_name: headerText
    .min(1)
    .max(255)
    .describe('The display name in the From field.')
    .meta({ examples: ['Kim Example'] }),
  inbox_type: z
    .enum(['GOOGLE_WORKSPACE', 'OUTLOOK_365', 'CUSTOM_SMTP'])
    .describe('Where the inbox is; the log-ins are the same for all.'),
  smtp_host: host
    .describe('The server for outgoing mail.')
    .meta({ examples: ['smtp.example.com'] }),
  smtp_port: port.describe('465, 587 or 2525.').meta({ examples: [587] }),
  smtp_username: credential
    .describe('The name to log in with by SMTP.')
    .meta({ examples: ['kim'] }),
  smtp_password: credential
    .describe('An app password, where the provider asks for one. It is encrypted, and never shown.')
    .meta({ examples: ['app password'] }),
  imap_host: host
    .describe('The server for incoming mail.')
    .meta({ examples: ['imap.example.com'] }),
  imap_port: port.describe('993 or 143.').meta({ examples: [993] }),
  imap_username: credential
    .describe('The name to log in with by IMAP.')
    .meta({ examples: ['kim'] }),
  imap_password: credential.describe('As `smtp_password`.').meta({ examples: ['app password'] }),
  daily_limit: z
    .int()
    .min(0)
    .max(100_000)
    .nullish()
    .describe('How many messages may leave within any 24 hours; by default 100.'),
  smtp_use_tls: z
    .boolean()
    .nullish()
    .describe('TLS, from the start at port 465 and by STARTTLS at others; by default `true`.'),
  imap_use_ssl: z
    .boolean()
    .nullish()
    .describe('TLS, from the start at port 993 and by STARTTLS at others; by default `true`.'),
})

type Body = z.infer<typeof body>

/** POST /sender-accounts/smtp: an inbox at another provider, once its log-ins have worked. */
export function addSmtpInboxRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/sender-accounts/smtp`,
    {
      schema: {
        operationId: 'addSmtpInbox',
        summary: 'Adds an inbox at another provider, with its SMTP and IMAP log-ins',
        description:
          'Both log-ins are tried first. A live key needs TLS with a valid certificate. There is no OAuth.',
        body,
        response: { 201: inboxShown },
        problems: ['connection_failed', 'inbox_exists'],
      },
      ...needs(context, 'sender_accounts:create'),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const account = accountOf(request.body)
      const address = request.body.email_address.toLowerCase()
      if (await hasInboxAt(store, key, address)) throw new Problem('inbox_exists')
      const results = await context.tryLogIns(key.world, account)
      for (const { protocol, failure } of results)
        if (failure) throw new Problem('connection_failed', { protocol, reason: failure })
      const { display_name, inbox_type, daily_limit } = request.body
      const inbox = await addSmtpInbox(store, key, {
        address,
        displayName: display_name,
        inboxType: inbox_type,
        dailyLimit: daily_limit ?? 100,
        account,
      })
      if (!inbox) throw new Problem('inbox_exists')
      return reply.status(201).send(inboxItem(inbox, 'Sender account created.'))
    },
  )
}

const accountOf = (given: Body) => ({
  smtp: {
    host: given.smtp_host,
    port: given.smtp_port,
    encrypts: given.smtp_use_tls ?? true,
    logIn: { username: given.smtp_username, password: given.smtp_password },
  },
  imap: {
    host: given.imap_host,
    port: given.imap_port,
    encrypts: given.imap_use_ssl ?? true,
    logIn: { username: given.imap_username, password: given.imap_password },
  },
})
