import { z } from 'zod'
import { createAppPassword } from '#store/app-passwords.ts'
import { type InboxRow, inboxesById } from '#store/inboxes.ts'
import { mailboxAccounts } from '#store/mailbox-copies.ts'
import { API_PREFIX, type ApiContext, type LogInServers } from '../http/context.ts'
import { csvRow } from '../http/csv.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { id } from '../http/shapes.ts'
import { MAX_PASSWORDS } from './app-passwords.ts'

const body = z.object({
  inbox_ids: z.array(id).min(1).max(100).describe('The inboxes to export.'),
})

const COLUMNS = [
  'email_address',
  'display_name',
  'username',
  'password',
  'smtp_host',
  'smtp_port',
  'smtp_tls',
  'imap_host',
  'imap_port',
  'imap_tls',
]

/** POST /sender-accounts/export: a CSV file of inboxes, each with a new app password. */
export function exportInboxesRoute(app: Http, context: ApiContext): void {
  app.post(
    `${API_PREFIX}/sender-accounts/export`,
    {
      schema: {
        operationId: 'exportInboxes',
        summary: 'Exports inboxes with log-ins as a CSV file',
        description:
          'Each inbox gets a new app password, which is shown this once; without one where it has too many. Inboxes that are not there, or at other providers, are left out.',
        body,
        response: { 200: { content: { 'text/csv': { schema: z.string() } } } },
        problems: ['log_ins_off'],
      },
      ...needs(context, 'app_passwords:create'),
    },
    async (request, reply) => {
      const key = keyOf(request)
      if (!context.logInServers(key.world, '')) throw new Problem('log_ins_off')
      const found = await inboxesById(context.store, key, request.body.inbox_ids)
      const inboxes = [...found.values()].filter(isHostedHere)
      const accounts = await mailboxAccounts(
        context.store.db,
        inboxes.map(({ domain_id }) => domain_id),
      )
      const rows = []
      for (const inbox of inboxes) {
        const servers = context.logInServers(key.world, accounts.get(inbox.domain_id)!)!
        rows.push(await rowOf(context, inbox, servers))
      }
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="inboxes.csv"')
        .send(csvRow(COLUMNS) + rows.join(''))
    },
  )
}

/** Only these have log-ins of ours. */
const isHostedHere = (inbox: InboxRow): inbox is InboxRow & { domain_id: string } =>
  inbox.removed_at === null && inbox.domain_id !== null

async function rowOf({ store, now }: ApiContext, inbox: InboxRow, servers: LogInServers) {
  const wanted = { name: `Exported ${now().toISOString().slice(0, 10)}`, expiresAt: undefined }
  const made = await createAppPassword(store, inbox.id, wanted, MAX_PASSWORDS)
  const { smtp, imap } = servers
  return csvRow([
    inbox.address,
    inbox.display_name,
    inbox.address,
    made?.password ?? '',
    ...[smtp, imap].flatMap((each) =>
      each ? [each.host, `${each.port}`, each.tls] : ['', '', ''],
    ),
  ])
}
