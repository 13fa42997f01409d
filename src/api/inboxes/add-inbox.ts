import { z } from 'zod'
import { insertAppPassword, type MadePassword } from '#store/app-passwords.ts'
import { findInbox } from '#store/inboxes.ts'
import { reserveInboxes } from '#store/reserve-inboxes.ts'
import { loadDomain } from '../domains/load-domain.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { headerText, id } from '../http/shapes.ts'
import { waitForDomain } from '../http/wait.ts'
import { inboxCreated } from './answers.ts'
import { PROBLEM_OF } from './bulk-add.ts'
import { inboxItem } from './inbox-views.ts'
import { readLocalpart } from './localpart.ts'

const body = z.object({
  domain_id: id.describe('The domain of its address, which must be active.'),
  email_prefix: z
    .string()
    .min(1)
    .max(64)
    .describe('The localpart of its address.')
    .meta({ examples: ['kim'] }),
  display_name: headerText
    .min(1)
    .max(255)
    .describe('The display name in the From field.')
    .meta({ examples: ['Kim Example'] }),
})

/** With which a mail program logs in to a new inbox. */
const FIRST_PASSWORD = { name: 'First password', expiresAt: undefined }

/** POST /sender-accounts/coldsend-native: an inbox; the worker makes its mailbox. */
export function addInboxRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.post(
    `${API_PREFIX}/sender-accounts/coldsend-native`,
    {
      schema: {
        operationId: 'addInbox',
        summary: 'Adds an inbox to a domain',
        body,
        response: { 201: inboxCreated },
        problems: [
          'domain_not_found',
          'domain_not_active',
          'inbox_exists',
          'inbox_being_removed',
          'inbox_capacity_reached',
        ],
      },
      ...needs(context, 'sender_accounts:create'),
    },
    async (request, reply) => {
      const key = keyOf(request)
      const { domain_id, email_prefix, display_name } = request.body
      const localpart = acceptedLocalpart(email_prefix)
      const { row } = await loadDomain(store, key, domain_id)
      if (row.status !== 'ACTIVE')
        throw new Problem('domain_not_active', { domain_status: row.status })
      const wanted = { localpart, displayName: display_name }
      const servers = context.logInServers(row.world, row.mailbox_driver)
      let made: MadePassword | undefined
      const [reserved] =
        (await reserveInboxes(store, row, [wanted], async (tx, [inbox]) => {
          if (servers && inbox?.is === 'reserved')
            made = await insertAppPassword(tx, inbox.inbox.id, FIRST_PASSWORD, 1)
        })) ?? []
      if (!reserved) throw new Problem('domain_not_found')
      if (reserved.is === 'full') {
        throw new Problem('inbox_capacity_reached', {
          max_inboxes: reserved.max,
          current_inboxes: reserved.current,
        })
      }
      if (reserved.is !== 'reserved') throw new Problem(PROBLEM_OF[reserved.is])
      const inbox = await waitForDomain(store, {
        domainId: row.id,
        known: reserved.inbox,
        look: async () => (await findInbox(store, key, reserved.inbox.id)) ?? reserved.inbox,
        done: ({ status }) => status !== 'PENDING',
        limitMs: context.waitMs,
      })
      const credentials = made
        ? { username: inbox.address, password: made.password, ...servers! }
        : null
      return reply.status(201).send({ ...inboxItem(inbox, 'Sender account created.'), credentials })
    },
  )
}

function acceptedLocalpart(written: string): string {
  const parsed = readLocalpart(written)
  if ('localpart' in parsed) return parsed.localpart
  const { message, type } = parsed.refusal
  throw new Invalid([{ loc: ['body', 'email_prefix'], msg: message, type }])
}
