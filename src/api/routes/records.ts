import type { FastifySchema } from 'fastify'
import { z } from 'zod'
import { isRRsetType, type RRsetType } from '#drivers/zone/contract.ts'
import { absolute, isWithin, relative } from '#names/domain-name.ts'
import {
  addCustomerRecord,
  type CustomerRecordRow,
  changeCustomerRecord,
  listCustomerRecords,
  removeCustomerRecord,
} from '#store/customer-records.ts'
import type { Queryable } from '#store/database.ts'
import { placedAt } from '#store/domain-passes.ts'
import { type DomainRow, recordsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../context.ts'
import { customerRecordView, recordViewer } from '../domain-views.ts'
import type { Http } from '../http.ts'
import { loadDomain } from '../load-domain.ts'
import { recordList, recordRemoved, recordSaid } from '../openapi/answers.ts'
import { Invalid, Problem, type ProblemCode } from '../problems.ts'
import { keyOf, needs } from '../route.ts'
import { domainParams, id } from '../shapes.ts'

const TTL = { least: 60, most: 86_400, usual: 300 }
const ttl = z
  .int()
  .min(TTL.least)
  .max(TTL.most)
  .default(TTL.usual)
  .describe('How long others may keep it before they ask again, in seconds.')
const value = z
  .string()
  .min(1)
  .max(4096)
  .describe('Its data as in a zone file, but that of a TXT in one piece and without quotes.')
  .meta({ examples: ['192.0.2.1'] })

/** `@`, or labels of letters, digits, `-` and `_`, the first of which may be a `*`. */
const OWNER = /^(@|(\*|\w([\w-]{0,61}\w)?)(\.\w([\w-]{0,61}\w)?)*\.?)$/

const recordParams = domainParams.extend({ record_id: id })
const fresh = z.object({
  name: z
    .string()
    .min(1)
    .max(254)
    .regex(OWNER, 'not the owner name of a record')
    .describe('Whole, or relative to the domain; `@` is the domain itself.')
    .meta({ examples: ['www'] }),
  type: z
    .string()
    .max(10)
    .describe('`A`, `AAAA`, `CAA`, `CNAME`, `MX`, `NS`, `SRV` or `TXT`, in capitals or not.')
    .meta({ examples: ['A'] }),
  value,
  ttl,
})
const changed = z.object({ value, ttl })
const path = `${API_PREFIX}/domains/:domain_id/records`
const ABSENT: readonly ProblemCode[] = ['domain_not_found', 'record_not_found', 'record_managed']

/** GET, POST, PUT and DELETE …/records: the customer's own in the hosted zone; ours can be seen, not edited. */
export function recordRoutes(app: Http, context: ApiContext): void {
  listRecords(app, context)
  addRecord(app, context)
  editRecords(app, context)
}

function listRecords(app: Http, context: ApiContext): void {
  const { store } = context
  const schema = {
    operationId: 'listRecords',
    summary: 'Lists the records of a domain, ours and its own',
    params: domainParams,
    answers: { 200: recordList },
    problems: ['domain_not_found'],
  } satisfies FastifySchema
  app.get(path, { schema, ...needs(context, 'domains:read') }, async (request) => {
    const { row, conditions } = await loadDomain(store, keyOf(request), request.params.domain_id)
    const [ours, theirs] = await Promise.all([
      recordsOf(store.db, row.id),
      listCustomerRecords(store.db, row.id),
    ])
    const records = [...ours.map(recordViewer(conditions)), ...theirs.map(customerRecordView)]
    return { success: true, message: 'Records retrieved successfully', records }
  })
}

function addRecord(app: Http, context: ApiContext): void {
  const { store } = context
  const schema = {
    operationId: 'addRecord',
    summary: 'Adds a record to the hosted zone',
    params: domainParams,
    body: fresh,
    answers: { 201: recordSaid },
    problems: ['domain_not_found', 'record_exists', 'record_conflict', 'too_many_records'],
  } satisfies FastifySchema
  app.post(path, { schema, ...needs(context, 'domains:update') }, async (request, reply) => {
    const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
    const record = { ...request.body, ...ownerAndType(row.name, request.body) }
    refuseUnholdable(context, row, record)
    const check = (held: Queryable) => refuseInTheWay(held, row, record)
    const added = await addCustomerRecord(store, row.id, record, check)
    if (!added) throw new Problem('record_exists')
    const said = { success: true, message: 'Record added.' }
    return reply.status(201).send({ ...said, record: customerRecordView(added) })
  })
}

function editRecords(app: Http, context: ApiContext): void {
  const { store } = context
  const one = `${path}/:record_id`
  const update = needs(context, 'domains:update')
  const change = {
    operationId: 'changeRecord',
    summary: 'Changes one of the records that are not ours',
    params: recordParams,
    body: changed,
    answers: { 200: recordSaid },
    problems: [...ABSENT, 'record_exists', 'record_conflict'],
  } satisfies FastifySchema
  app.put(one, { schema: change, ...update }, async (request) => {
    const { domain, row } = await ownRecord(context, keyOf(request), request.params)
    const changed = { ...request.body, name: row.name, type: row.type as RRsetType }
    refuseUnholdable(context, domain, changed)
    const check = (held: Queryable) => refuseInTheWay(held, domain, changed, row.id)
    const result = await changeCustomerRecord(store, row, request.body, check)
    if (result !== 'changed')
      throw new Problem(`record_${result === 'gone' ? 'not_found' : 'exists'}`)
    const record = customerRecordView({ ...row, ...request.body })
    return { success: true, message: 'Record changed.', record }
  })
  const removal = {
    operationId: 'removeRecord',
    summary: 'Removes one of the records that are not ours',
    params: recordParams,
    answers: { 200: recordRemoved },
    problems: ABSENT,
  } satisfies FastifySchema
  app.delete(one, { schema: removal, ...update }, async (request) => {
    const { row } = await ownRecord(context, keyOf(request), request.params)
    if (!(await removeCustomerRecord(store, row))) throw new Problem('record_not_found')
    return { success: true, message: 'Record removed.', record_id: row.id }
  })
}

type Params = z.infer<typeof recordParams>

/** The customer's own record; one of ours is told from one that is not there. */
async function ownRecord({ store }: ApiContext, key: ReturnType<typeof keyOf>, params: Params) {
  const { row: domain } = await loadDomain(store, key, params.domain_id)
  const theirs = await listCustomerRecords(store.db, domain.id)
  const row: CustomerRecordRow | undefined = theirs.find((each) => each.id === params.record_id)
  if (row) return { domain, row }
  const ours = await recordsOf(store.db, domain.id)
  const isOurs = ours.some((each) => each.id === params.record_id)
  throw new Problem(isOurs ? 'record_managed' : 'record_not_found')
}

/** Names may be written whole, relative to the domain, or as `@`. */
function ownerAndType(domain: string, body: { name: string; type: string }) {
  const bare = relative(body.name.toLowerCase())
  const name = bare === '@' ? domain : isWithin(bare, domain) ? bare : `${bare}.${domain}`
  if (name.length > 253) throw invalid('name', 'with the domain below it, the name is too long')
  const type = body.type.toUpperCase()
  if (!isRRsetType(type)) throw invalid('type', 'there is no such type here')
  const isOfHost = type === 'NS' && name === domain
  if (isOfHost) throw invalid('name', 'the NS records of the domain itself are the nameservers')
  return { name: absolute(name), type }
}

type Wanted = { name: string; type: RRsetType; value: string; ttl: number }

/** What the zone host cannot hold at all. */
function refuseUnholdable({ zoneHost }: ApiContext, domain: DomainRow, record: Wanted): void {
  const { name, type, ttl: seconds, value: written } = record
  const host = zoneHost(domain.world, placedAt(domain))
  const objection = host.objectionTo({ name, type, ttl: seconds, data: [written] })
  if (objection) throw invalid('value', objection)
}

/** More than anybody needs: a zone is read and written whole. */
const RECORDS = 1000

/**
 * An alias beside anything else (RFC 1034 section 3.6.2), a second MX of the domain beside ours, or too
 * many. `own` is the record that is to change.
 */
async function refuseInTheWay(
  held: Queryable,
  domain: DomainRow,
  { name, type }: Wanted,
  own?: string,
): Promise<void> {
  const ours = await recordsOf(held, domain.id)
  const theirs = await listCustomerRecords(held, domain.id)
  if (own === undefined && theirs.length >= RECORDS) {
    throw new Problem('too_many_records', { max_records: RECORDS })
  }
  const isMxOfDomain = type === 'MX' && name === absolute(domain.name)
  const comesHere = domain.take_mail || ours.some(({ purpose }) => purpose === 'mx')
  // The next pass would take it away again.
  if (isMxOfDomain && comesHere) throw new Problem('record_conflict')
  const beside = [...ours, ...theirs].filter((each) => each.name === name && each.id !== own)
  const isApexAlias = type === 'CNAME' && name === absolute(domain.name)
  const excludes = (each: { type: string }) => each.type === 'CNAME' || type === 'CNAME'
  if (isApexAlias || beside.some(excludes)) throw new Problem('record_conflict')
}

function invalid(field: string, msg: string): Invalid {
  return new Invalid([{ loc: ['body', field], msg, type: 'value_error.record' }])
}
