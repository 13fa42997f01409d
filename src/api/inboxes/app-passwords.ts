import { z } from 'zod'
import {
  type AppPasswordRow,
  createAppPassword,
  listAppPasswords,
  revokeAppPassword,
} from '#store/app-passwords.ts'
import { mailboxAccounts } from '#store/mailbox-copies.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { futureTime, headerText, inboxParams, readFutureTime, SUCCESS } from '../http/shapes.ts'
import { appPasswordList, appPasswordMade, appPasswordRevoked } from './answers.ts'
import { loadInbox } from './load-inbox.ts'

const PASSWORDS = `${API_PREFIX}/sender-accounts/:inbox_id/app-passwords`
export const MAX_PASSWORDS = 20

const body = z.object({
  name: headerText
    .min(1)
    .max(255)
    .describe('A name for you to recognise the password by, as that of a device.')
    .meta({ examples: ["Kim's phone"] }),
  expires_at: futureTime.describe('When it expires, in ISO 8601 with its zone; `null` for never.'),
})

const params = inboxParams.extend({
  password_id: z.string().max(64),
})

/** Passwords with which mail programs log in to an inbox: POST, GET and DELETE. */
export function appPasswordRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const create = {
    operationId: 'addAppPassword',
    summary: 'Creates a password for a mail program, and shows it once',
    params: inboxParams,
    body,
    response: { 201: appPasswordMade },
    problems: [
      'sender_account_not_found',
      'inbox_is_elsewhere',
      'log_ins_off',
      'too_many_app_passwords',
    ] as const,
  }
  app.post(
    PASSWORDS,
    { schema: create, ...needs(context, 'app_passwords:create') },
    async (request, reply) => {
      const inbox = await loadInbox(store, keyOf(request), request.params.inbox_id)
      if (inbox.domain_id === null) throw new Problem('inbox_is_elsewhere')
      const accounts = await mailboxAccounts(store.db, [inbox.domain_id])
      const servers = context.logInServers(inbox.world, accounts.get(inbox.domain_id)!)
      if (!servers) throw new Problem('log_ins_off')
      const expiresAt = readFutureTime(request.body.expires_at, context.now())
      const wanted = { name: request.body.name, expiresAt }
      const made = await createAppPassword(store, inbox.id, wanted, MAX_PASSWORDS)
      if (!made) throw new Problem('too_many_app_passwords', { max_app_passwords: MAX_PASSWORDS })
      return reply.status(201).send({
        ...SUCCESS,
        message: 'App password made. It is shown this once.',
        inbox_id: inbox.id,
        ...passwordView(made.row),
        username: inbox.address,
        password: made.password,
        ...servers,
      })
    },
  )

  const list = {
    operationId: 'listAppPasswords',
    summary: 'Lists the passwords of an inbox for mail programs',
    params: inboxParams,
    response: { 200: appPasswordList },
    problems: ['sender_account_not_found'] as const,
  }
  app.get(PASSWORDS, { schema: list, ...needs(context, 'app_passwords:read') }, async (request) => {
    const inbox = await loadInbox(store, keyOf(request), request.params.inbox_id)
    const rows = await listAppPasswords(store, inbox.id)
    const message = 'App passwords retrieved successfully'
    return { ...SUCCESS, message, inbox_id: inbox.id, app_passwords: rows.map(passwordView) }
  })

  const revoke = {
    operationId: 'revokeAppPassword',
    summary: 'Revokes a password of a mail program at once',
    params,
    response: { 200: appPasswordRevoked },
    problems: ['sender_account_not_found', 'app_password_not_found'] as const,
  }
  app.delete(
    `${PASSWORDS}/:password_id`,
    { schema: revoke, ...needs(context, 'app_passwords:delete') },
    async (request) => {
      const { inbox_id, password_id } = request.params
      const inbox = await loadInbox(store, keyOf(request), inbox_id)
      if (!(await revokeAppPassword(store, inbox.id, password_id)))
        throw new Problem('app_password_not_found')
      return { ...SUCCESS, message: 'App password revoked.', inbox_id, password_id }
    },
  )
}

const passwordView = (row: AppPasswordRow) => ({
  password_id: row.id,
  name: row.name,
  created_at: row.created_at.toISOString(),
  expires_at: row.expires_at?.toISOString() ?? null,
  last_used_at: row.last_used_at?.toISOString() ?? null,
})
