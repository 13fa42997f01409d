import type { FastifySchema } from 'fastify'
import { z } from 'zod'
import { isWithin, nameBelow } from '#dns/name.ts'
import { canonicalOrWritten } from '#dns/rdata.ts'
import type { CustomerRecord } from '#domains/customer-records.ts'
import { type RRsetType, rrsetTypeOf } from '#drivers/zone/contract.ts'
import { absolute, isWithin as isHostWithin } from '#names/domain-name.ts'
import {
  addCustomerRecord,
  type CustomerRecordRow,
  changeCustomerRecord,
  listCustomerRecords,
  removeCustomerRecord,
} from '#store/customer-records.ts'
import type { Queryable } from '#store/database.ts'
import { accountsOfDomain } from '#store/domain-passes.ts'
import { type DomainRow, recordsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid, Problem, type ProblemCode } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, id, SUCCESS } from '../http/shapes.ts'
import { recordAnswer, recordList, recordRemoved } from './answers.ts'
import { customerRecordView, recordViewer } from './domain-views.ts'
import { loadDomain } from './load-domain.ts'
import { MAX_OWN_RECORDS, refuseConflict, zoneContentsOf } from './zone-contents.ts'

/** Enough for a TXT value of 4096 octets, each escaped, with its quotation marks. */
const VALUE_LIMIT = 20_000

const TTL = { least: 60, most: 86_400, usual: 300 }
const ttl = z
  .int()
  .min(TTL.least)
  .max(TTL.most)
  .default(TTL.usual)
  .describe('The TTL of the record, in seconds.')
const value = z
  .string()
  .min(1)
  .max(VALUE_LIMIT)
  .describe(
    'The rdata in presentation format; names in it are absolute, with a final dot. For TXT, the text without quotes, or quoted strings. For a type without a name here, `\\# length hex` (RFC 3597).',
  )
  .meta({ examples: ['192.0.2.1'] })

const priority = z
  .int()
  .min(0)
  .max(0xffff)
  .nullish()
  .describe('The preference of an MX or the priority of an SRV, if the value omits it.')

const recordParams = domainParams.extend({ record_id: id })
const fresh = z.object({
  name: z
    .string()
    .min(1)
    .max(1024)
    .describe(
      'Relative to the domain, or absolute with a final dot; `@` is the domain itself. Escapes are those of zone files.',
    )
    .meta({ examples: ['www'] }),
  type: z
    .string()
    .max(10)
    .describe(
      '`A`, `AAAA`, `CAA`, `CNAME`, `DS`, `HTTPS`, `MX`, `NAPTR`, `NS`, `PTR`, `SRV`, `SSHFP`, `SVCB`, `TLSA` or `TXT`, or `TYPE` and a number (RFC 3597); in any case.',
    )
    .meta({ examples: ['A'] }),
  value,
  priority,
  ttl,
})
const changed = z.object({ value, priority, ttl })
const path = `${API_PREFIX}/domains/:domain_id/records`
const ABSENT: readonly ProblemCode[] = ['domain_not_found', 'record_not_found', 'record_managed']

/** GET, POST, PUT and DELETE …/records. Callers can change the customer's records, not ours. */
export function recordRoutes(app: Http, context: ApiContext): void {
  listRecords(app, context)
  addRecord(app, context)
  editRecords(app, context)
}

function listRecords(app: Http, context: ApiContext): void {
  const { store } = context
  const schema = {
    operationId: 'listRecords',
    summary: 'Lists the records of a domain: Mailstead’s and the customer’s',
    params: domainParams,
    response: { 200: recordList },
    problems: ['domain_not_found'],
  } satisfies FastifySchema
  app.get(path, { schema, ...needs(context, 'domains:read') }, async (request) => {
    const { row, conditions } = await loadDomain(store, keyOf(request), request.params.domain_id)
    const [ours, theirs] = await Promise.all([
      recordsOf(store.db, row.id),
      listCustomerRecords(store.db, row.id),
    ])
    const records = [...ours.map(recordViewer(conditions)), ...theirs.map(customerRecordView)]
    return { ...SUCCESS, message: 'Records retrieved successfully', records }
  })
}

function addRecord(app: Http, context: ApiContext): void {
  const { store } = context
  const schema = {
    operationId: 'addRecord',
    summary: 'Adds a record to the hosted zone',
    params: domainParams,
    body: fresh,
    response: { 201: recordAnswer },
    problems: ['domain_not_found', 'record_exists', 'record_conflict', 'too_many_records'],
  } satisfies FastifySchema
  app.post(path, { schema, ...needs(context, 'domains:update') }, async (request, reply) => {
    const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
    const record = recordOf(ownerAndType(row.name, request.body), request.body)
    const check = (held: Queryable) => refuseInTheWay(context, held, row, record)
    const added = await addCustomerRecord(store, row.id, record, check)
    if (!added) throw new Problem('record_exists')
    const said = { ...SUCCESS, message: 'Record added.' }
    return reply.status(201).send({ ...said, record: customerRecordView(added) })
  })
}

function editRecords(app: Http, context: ApiContext): void {
  const { store } = context
  const one = `${path}/:record_id`
  const update = needs(context, 'domains:update')
  const change = {
    operationId: 'changeRecord',
    summary: 'Changes one of the customer’s records',
    params: recordParams,
    body: changed,
    response: { 200: recordAnswer },
    problems: [...ABSENT, 'record_exists', 'record_conflict'],
  } satisfies FastifySchema
  app.put(one, { schema: change, ...update }, async (request) => {
    const { domain, row } = await ownRecord(context, keyOf(request), request.params)
    const place = { name: row.name, type: row.type as RRsetType }
    const changed = recordOf(place, request.body)
    const check = (held: Queryable) => refuseInTheWay(context, held, domain, changed, row.id)
    const { value, ttl } = changed
    const result = await changeCustomerRecord(store, row, { value, ttl }, check)
    if (result !== 'changed')
      throw new Problem(`record_${result === 'gone' ? 'not_found' : 'exists'}`)
    const record = customerRecordView({ ...row, value, ttl })
    return { ...SUCCESS, message: 'Record changed.', record }
  })
  const removal = {
    operationId: 'removeRecord',
    summary: 'Removes one of the customer’s records',
    params: recordParams,
    response: { 200: recordRemoved },
    problems: ABSENT,
  } satisfies FastifySchema
  app.delete(one, { schema: removal, ...update }, async (request) => {
    const { row } = await ownRecord(context, keyOf(request), request.params)
    if (!(await removeCustomerRecord(store, row))) throw new Problem('record_not_found')
    return { ...SUCCESS, message: 'Record removed.', record_id: row.id }
  })
}

type Params = z.infer<typeof recordParams>

/** A customer's record by its id. Throws `record_managed` for a record of ours. */
async function ownRecord({ store }: ApiContext, key: ReturnType<typeof keyOf>, params: Params) {
  const { row: domain } = await loadDomain(store, key, params.domain_id)
  const theirs = await listCustomerRecords(store.db, domain.id)
  const row: CustomerRecordRow | undefined = theirs.find((each) => each.id === params.record_id)
  if (row) return { domain, row }
  const ours = await recordsOf(store.db, domain.id)
  const isOurs = ours.some((each) => each.id === params.record_id)
  throw new Problem(isOurs ? 'record_managed' : 'record_not_found')
}

/** The owner name and type. A name within the domain may lack its final dot. */
function ownerAndType(domain: string, body: { name: string; type: string }) {
  const type = rrsetTypeOf(body.type)
  if (type === undefined) throw invalid('type', `Mailstead hosts no records of type ${body.type}`)
  const name = ownerOf(domain, body.name)
  if (!isWithin(name, absolute(domain))) throw invalid('name', `${name} lies outside ${domain}`)
  if (name === absolute(domain) && (type === 'NS' || type === 'DS')) {
    throw invalid('name', `the parent zone holds the ${type} records of the domain itself`)
  }
  return { name, type }
}

function ownerOf(domain: string, written: string): string {
  try {
    const isWhole = isHostWithin(written.toLowerCase(), domain)
    return nameBelow(isWhole ? `${written}.` : written, absolute(domain))
  } catch (error) {
    if (error instanceof RangeError) throw invalid('name', error.message)
    throw error
  }
}

type Given = { value: string; priority?: number | null | undefined; ttl: number }

/** The record in canonical form. The zone host refuses a value that has none. */
function recordOf(place: { name: string; type: RRsetType }, given: Given): CustomerRecord {
  const value = withPriority(place.type, given)
  return { ...place, value: canonicalOrWritten(place.type, value), ttl: given.ttl }
}

/** Requests may send the first number of an MX or SRV as `priority`, as answers show it. */
function withPriority(type: RRsetType, { value, priority }: Given): string {
  if (priority === undefined || priority === null) return value
  if (type !== 'MX' && type !== 'SRV') throw invalid('priority', `${type} records have none`)
  const [first, ...rest] = value.trim().split(/[ \t]+/)
  const isThere = rest.length === (type === 'MX' ? 1 : 3)
  if (!isThere) return `${priority} ${value}`
  if (first !== String(priority)) throw invalid('priority', `the value begins with ${first}`)
  return value
}

/**
 * Refuses records that the zone host cannot hold, that conflict with others, or that are too many.
 * `own` is the id of the record to change.
 */
async function refuseInTheWay(
  { zoneHost }: ApiContext,
  held: Queryable,
  domain: DomainRow,
  record: CustomerRecord,
  own?: string,
): Promise<void> {
  const ours = await recordsOf(held, domain.id)
  const theirs = (await listCustomerRecords(held, domain.id)).filter(({ id }) => id !== own)
  if (own === undefined && theirs.length >= MAX_OWN_RECORDS) {
    throw new Problem('too_many_records', { max_records: MAX_OWN_RECORDS })
  }
  const { name, type, ttl, value } = record
  const objectionTo = (...values: readonly string[]) =>
    zoneHost(domain.world, accountsOfDomain(domain)).objectionTo({ name, type, ttl, data: values })
  const alone = objectionTo(value)
  if (alone) throw invalid('value', alone)
  refuseConflict(record, zoneContentsOf(domain, ours, theirs))
  const isBeside = (each: { name: string; type: string }) =>
    each.name === name && each.type === type
  const values = [...ours, ...theirs].filter(isBeside).map((each) => each.value)
  const together = objectionTo(...new Set([...values, value]))
  if (together) throw invalid('value', together)
}

function invalid(field: string, msg: string): Invalid {
  return new Invalid([{ loc: ['body', field], msg, type: 'value_error.record' }])
}
