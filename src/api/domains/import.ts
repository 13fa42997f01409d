import { z } from 'zod'
import { type FilePlan, planFile } from '#domains/import-file.ts'
import { addImportedRecords, decideImport, listCustomerRecords } from '#store/customer-records.ts'
import type { Queryable } from '#store/database.ts'
import { accountsOfDomain } from '#store/domain-passes.ts'
import { type DomainRow, recordsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, id, SUCCESS } from '../http/shapes.ts'
import { type fileReport, importAnswer } from './answers.ts'
import { customerRecordView } from './domain-views.ts'
import { type KnownDomain, loadDomain } from './load-domain.ts'
import { MAX_OWN_RECORDS, zoneContentsOf } from './zone-contents.ts'

const FILE_LIMIT = 900_000
/** At most this many unreadable lines are named. */
const PROBLEMS_NAMED = 20

const body = z.object({
  take_mail: z
    .boolean()
    .default(false)
    .describe('Replaces an MX that points elsewhere by ours; `false` changes nothing.'),
  drop: z
    .array(id)
    .max(500)
    .default([])
    .describe('The `record_id` of each record of the domain to remove.'),
  zone_file: z
    .string()
    .max(FILE_LIMIT)
    .optional()
    .describe(
      `A zone file in BIND format, as the former host exports it; at most ${MAX_OWN_RECORDS} records. You may also send the file alone, as \`text/dns\`.`,
    ),
})
const path = `${API_PREFIX}/domains/:domain_id/import`

/** GET and POST …/import: shows the imported records, and keeps or drops them. */
export function importRoutes(app: Http, context: ApiContext): void {
  readImport(app, context)
  app.register(async (scope) => {
    // RFC 4027: a file may be sent as it is.
    scope.addContentTypeParser('text/dns', { parseAs: 'string' }, (_request, file, done) =>
      done(null, { zone_file: file }),
    )
    decideRoute(scope as Http, context)
  })
}

function readImport(app: Http, context: ApiContext): void {
  const { store } = context
  const read = {
    schema: {
      operationId: 'getImport',
      summary: 'Shows the records that the import found at the former nameservers',
      params: domainParams,
      response: { 200: importAnswer },
      problems: ['domain_not_found'] as const,
    },
    ...needs(context, 'domains:read'),
  }
  app.get(path, read, async (request) =>
    answer(await loadDomain(store, keyOf(request), request.params.domain_id), context, null),
  )
}

function decideRoute(app: Http, context: ApiContext): void {
  const { store } = context
  const write = {
    schema: {
      operationId: 'decideImport',
      summary: 'Keeps or drops imported records, or adds the records of a zone file',
      params: domainParams,
      body,
      response: { 200: importAnswer },
      problems: ['domain_not_found', 'too_many_records'] as const,
    },
    ...needs(context, 'domains:update'),
  }
  app.post(path, write, async (request) => {
    const known = await loadDomain(store, keyOf(request), request.params.domain_id)
    const { take_mail: takeMail, drop, zone_file: file } = request.body
    await decideImport(store, known.row.id, { takeMail, drop })
    const account = file === undefined ? null : await takeFile(context, known.row, file)
    return answer(await loadDomain(store, keyOf(request), known.row.id), context, account)
  })
}

/** Adds all records of the file in one transaction, and reports on each of them. */
async function takeFile(context: ApiContext, row: DomainRow, file: string) {
  let taken: Extract<FilePlan, { is: 'readable' }> | undefined
  const added = await addImportedRecords(context.store, row.id, async (held) => {
    taken = await plannedFile(context, held, row, file)
    return taken.records
  })
  if (added === undefined || taken === undefined) throw new Problem('domain_not_found')
  return {
    added: added.length,
    present: taken.records.length - added.length,
    left_out: [...taken.leftOut],
  }
}

async function plannedFile(context: ApiContext, held: Queryable, row: DomainRow, file: string) {
  const theirs = await listCustomerRecords(held, row.id)
  const zone = zoneContentsOf(row, await recordsOf(held, row.id), theirs)
  const host = context.zoneHost(row.world, accountsOfDomain(row))
  const plan = planFile(file, zone, host, MAX_OWN_RECORDS)
  if (plan.is === 'unreadable') throw unreadable(plan.problems)
  // A file may add as many again as a domain may have one by one.
  const most = 2 * MAX_OWN_RECORDS
  if (theirs.length + plan.records.length > most) {
    throw new Problem('too_many_records', { max_records: most })
  }
  return plan
}

const unreadable = (problems: readonly { line: number; message: string }[]): Invalid =>
  new Invalid(
    problems.slice(0, PROBLEMS_NAMED).map(({ line, message }) => ({
      loc: ['body', 'zone_file', line],
      msg: `line ${line}: ${message}; nothing of the file was taken`,
      type: 'value_error.zone_file',
    })),
  )

async function answer(
  { row }: KnownDomain,
  { store }: ApiContext,
  file: z.infer<typeof fileReport> | null,
) {
  const records = await listCustomerRecords(store.db, row.id)
  const imported = records.filter(({ origin }) => origin === 'imported')
  return {
    ...SUCCESS,
    message: [MESSAGES[row.import_state], row.import_note].filter(Boolean).join(' '),
    domain_id: row.id,
    domain_name: row.name,
    state: row.import_state,
    take_mail: row.take_mail,
    records: imported.map(customerRecordView),
    file,
  }
}

const MESSAGES: Record<DomainRow['import_state'], string> = {
  none: 'Nothing was to be imported.',
  wanted:
    'What the name serves now is being looked up; its nameservers are shown once that is known.',
  done: 'This is what the name serves elsewhere, and what is served here.',
  incomplete: 'This was found where the name is served now, and may not be all of it.',
}
