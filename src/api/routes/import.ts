import { z } from 'zod'
import { decideImport, listCustomerRecords } from '#store/customer-records.ts'
import type { DomainRow } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import { customerRecordView } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { type KnownDomain, loadDomain } from '../load-domain.ts'
import { importAnswer } from '../openapi/answers.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams, id } from '../shapes.ts'

const body = z.object({
  take_mail: z
    .boolean()
    .default(false)
    .describe('Mail that goes elsewhere comes here from now on; `false` changes nothing.'),
  drop: z
    .array(id)
    .max(500)
    .default([])
    .describe('The `record_id` of records of the domain that are to be served no more.'),
})
const path = `${API_PREFIX}/domains/:domain_id/import`

/** GET and POST …/import: what was found where the name was served before, and what is to become of it. */
export function importRoutes(app: Http, context: ApiContext): void {
  const { store } = context
  const read = {
    schema: {
      operationId: 'getImport',
      summary: 'Tells what was found where the name was served before',
      params: domainParams,
      answers: { 200: importAnswer },
      problems: ['domain_not_found'] as const,
    },
    ...needs(context, 'domains:read'),
  }
  app.get(path, read, async (request) =>
    answer(await loadDomain(store, keyOf(request), request.params.domain_id), context),
  )
  const write = {
    schema: {
      operationId: 'decideImport',
      summary: 'Decides what becomes of what was found',
      params: domainParams,
      body,
      answers: { 200: importAnswer },
      problems: ['domain_not_found'] as const,
    },
    ...needs(context, 'domains:update'),
  }
  app.post(path, write, async (request) => {
    const known = await loadDomain(store, keyOf(request), request.params.domain_id)
    const { take_mail: takeMail, drop } = request.body
    await decideImport(store, known.row.id, { takeMail, drop })
    return answer(await loadDomain(store, keyOf(request), known.row.id), context)
  })
}

async function answer({ row }: KnownDomain, { store }: ApiContext) {
  const records = await listCustomerRecords(store.db, row.id)
  const imported = records.filter(({ origin }) => origin === 'imported')
  return {
    success: true,
    message: MESSAGES[row.import_state],
    domain_id: row.id,
    domain_name: row.name,
    state: row.import_state,
    take_mail: row.take_mail,
    records: imported.map(customerRecordView),
  }
}

const MESSAGES: Record<DomainRow['import_state'], string> = {
  none: 'Nothing was to be imported.',
  wanted: 'What the name serves now is being looked up.',
  done: 'This was found where the name was served before. Zones can rarely be read whole: see that nothing is missing before you change the nameservers.',
  incomplete:
    'The nameservers the name has now did not answer all that they were asked, so this may not be all it serves: add what is missing before you change the nameservers.',
}
