import { Readable } from 'node:stream'
import { z } from 'zod'
import { isAddress } from '#names/localpart.ts'
import { type ApiKey, isOfInstallation } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import {
  addSuppressions,
  findSuppression,
  listSuppressions,
  removeSuppression,
  type SuppressionList,
  type SuppressionRow,
} from '#store/suppressions.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import { csvRow } from '../http/csv.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { cursor, emailAddress, id, limitOf, optionalText, SUCCESS } from '../http/shapes.ts'
import {
  suppressionList,
  suppressionRemoved,
  suppressionShown,
  suppressionsImported,
} from './answers.ts'

const PATH = `${API_PREFIX}/suppressions`
const IMPORTED_AT_ONCE = 10_000
const INVALID_NAMED = 100
const EXPORTED_AT_ONCE = 1000

const list = z
  .enum(['workspace', 'installation'])
  .default('workspace')
  .describe('The list: of the workspace, or of the whole installation, for its own keys.')
const reason = z
  .enum(['manual', 'unsubscribed'])
  .default('manual')
  .describe('Why it gets no more mail. Only `manual` can be taken back.')

const querystring = z.object({
  list,
  limit: limitOf(100),
  cursor,
  reason: optionalText.describe('Only entries with this reason.'),
  search: optionalText.describe('Only addresses that contain this.'),
})
const addition = z.object({
  list,
  reason,
  email_address: emailAddress.describe('It gets no more mail from here.'),
})
const importBody = z.object({
  list,
  reason,
  email_addresses: z
    .array(z.string().max(1000))
    .min(1)
    .max(IMPORTED_AT_ONCE)
    .describe('The addresses, each judged by itself.')
    .meta({ examples: [['someone@inbox.test']] }),
})

/** The addresses that get no mail from a workspace, or from the installation. */
export function suppressionRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const show = {
    operationId: 'listSuppressions',
    summary: 'Lists addresses that get no mail, the newest first',
    querystring,
    response: { 200: suppressionList },
    problems: ['installation_key_required'] as const,
  }
  app.get(PATH, { schema: show, ...needs(context, 'suppressions:read') }, async (request) => {
    const { limit, cursor: after, reason, search } = request.query
    const filter = { limit, after, reason, search }
    const rows = await listSuppressions(store, listOf(keyOf(request), request.query.list), filter)
    return {
      ...SUCCESS,
      message: 'Suppressions retrieved successfully',
      suppressions: rows.map(view),
      next_cursor: rows.length === limit ? (rows.at(-1)?.id ?? null) : null,
    }
  })

  const add = {
    operationId: 'addSuppression',
    summary: 'Sends no more mail to an address',
    description: 'An address that the list has already is shown as it is.',
    body: addition,
    response: { 200: suppressionShown, 201: suppressionShown },
    problems: ['installation_key_required'] as const,
  }
  app.post(
    PATH,
    { schema: add, ...needs(context, 'suppressions:create') },
    async (request, reply) => {
      const { email_address: address, reason, list } = request.body
      const of = listOf(keyOf(request), list)
      const [added] = await addSuppressions(store, of, [address], { reason, origin: 'api' })
      const row = added ?? (await findSuppression(store, of, address))
      if (!row) throw new Problem('suppression_not_found')
      const message = added
        ? 'The address gets no more mail.'
        : 'The address is on the list already.'
      return reply.status(added ? 201 : 200).send({ ...SUCCESS, message, ...view(row) })
    },
  )

  const bring = {
    operationId: 'importSuppressions',
    summary: 'Sends no more mail to up to 10,000 addresses',
    body: importBody,
    response: { 200: suppressionsImported },
    problems: ['installation_key_required'] as const,
  }
  app.post(
    `${PATH}/import`,
    { schema: bring, ...needs(context, 'suppressions:create') },
    async (request) => {
      const { email_addresses: written, reason, list } = request.body
      const of = listOf(keyOf(request), list)
      const rows = written.map((each, row) => ({ address: each.trim(), row }))
      const valid = rows.filter(({ address }) => isAddress(address))
      const invalid = rows.filter(({ address }) => !isAddress(address))
      const addresses = valid.map(({ address }) => address)
      const added = await addSuppressions(store, of, addresses, { reason, origin: 'import' })
      return {
        ...SUCCESS,
        message: `${added.length} addresses get no more mail.`,
        total: rows.length,
        added_count: added.length,
        known_count: valid.length - added.length,
        invalid_count: invalid.length,
        invalid: invalid
          .slice(0, INVALID_NAMED)
          .map(({ row }) => ({ row, message: 'value is not a valid email address' })),
      }
    },
  )

  const take = {
    operationId: 'exportSuppressions',
    summary: 'Returns a list of addresses that get no mail, as CSV',
    querystring: z.object({ list }),
    response: { 200: { content: { 'text/csv': { schema: z.string() } } } },
    problems: ['installation_key_required'] as const,
  }
  app.get(
    `${PATH}/export`,
    { schema: take, ...needs(context, 'suppressions:read') },
    async (request, reply) => {
      const csv = Readable.from(csvOf(store, listOf(keyOf(request), request.query.list)))
      return (
        reply
          .type('text/csv; charset=utf-8')
          .header('content-disposition', 'attachment; filename="suppressions.csv"')
          // To Fastify a stream, to the reader a text.
          .send(csv as unknown as string)
      )
    },
  )

  const remove = {
    operationId: 'deleteSuppression',
    summary: 'Lets an address get mail again',
    description:
      'Entries after a complaint or an unsubscription are the wish of the recipient, and stay.',
    params: z.object({ suppression_id: id }),
    querystring: z.object({ list }),
    response: { 200: suppressionRemoved },
    problems: [
      'suppression_not_found',
      'suppression_of_recipient',
      'installation_key_required',
    ] as const,
  }
  app.delete(
    `${PATH}/:suppression_id`,
    { schema: remove, ...needs(context, 'suppressions:delete') },
    async (request) => {
      const { suppression_id } = request.params
      const of = listOf(keyOf(request), request.query.list)
      const result = await removeSuppression(store, of, suppression_id)
      if (result === 'gone') throw new Problem('suppression_not_found')
      if (result === 'of_recipient') throw new Problem('suppression_of_recipient')
      return { ...SUCCESS, message: 'The address may get mail again.', suppression_id }
    },
  )
}

function listOf(key: ApiKey, list: 'workspace' | 'installation'): SuppressionList {
  if (list === 'workspace') return key
  if (!isOfInstallation(key)) throw new Problem('installation_key_required')
  return { world: key.world, workspaceId: null }
}

const view = ({ id, address, reason, origin, detail, created_at }: SuppressionRow) => ({
  suppression_id: id,
  email_address: address,
  reason,
  origin,
  detail,
  created_at: created_at.toISOString(),
})

async function* csvOf(store: StoreContext, of: SuppressionList): AsyncGenerator<string> {
  yield csvRow(['email_address', 'reason', 'origin', 'created_at'])
  let after: string | undefined
  do {
    const filter = { limit: EXPORTED_AT_ONCE, after, reason: undefined, search: undefined }
    const rows = await listSuppressions(store, of, filter)
    for (const { address, reason, origin, created_at } of rows)
      yield csvRow([address ?? '', reason, origin, created_at.toISOString()])
    after = rows.length === EXPORTED_AT_ONCE ? rows.at(-1)?.id : undefined
  } while (after !== undefined)
}
