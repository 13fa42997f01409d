/** The calls of Cloudflare's API (v4) that we make: zones, their DNS records, and their redirect rules. */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpCall, HttpClient, Refused } from '../../http.ts'
import { readAs } from '../../read-as.ts'
import type { Budget } from './budget.ts'
import { isNoRoute, refusalOf } from './refusals.ts'

const PROVIDER = 'Cloudflare'
const PAGE = 1000
const PAGES = 50
const NO_SUCH_ZONE = 1001

const zone = z.object({
  id: z.string().min(1),
  name: z.string(),
  status: z.string(),
  name_servers: z.array(z.string()).min(2),
  created_on: z.string(),
})
const record = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  ttl: z.int(),
  proxied: z.boolean().default(false),
  content: z.string().optional(),
  priority: z.int().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
})
const envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.int(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z.object({ total_pages: z.int().optional() }).nullish(),
})

const definition = z.object({
  description: z.string().default(''),
  enabled: z.boolean().default(true),
  expression: z.string().default(''),
  /** Undefined for a rule of another form than ours. */
  action_parameters: z
    .object({
      from_value: z.object({
        status_code: z.int(),
        target_url: z.object({ value: z.string() }).or(z.object({ expression: z.string() })),
        preserve_query_string: z.boolean().default(false),
      }),
    })
    .optional()
    .catch(undefined),
})
const rule = definition.extend({ id: z.string() })
const ruleset = z.object({ id: z.string().min(1), rules: z.array(rule).default([]) })

export type CfZone = z.infer<typeof zone>
export type CfRule = z.infer<typeof rule>
export type CfRuleDefinition = z.infer<typeof definition>
export type CfRuleset = z.infer<typeof ruleset>
export type CfRecord = z.infer<typeof record>
export type CfBatch = { deletes: readonly { id: string }[]; posts: readonly object[] }

/** The phase of dynamic redirect rules. */
const REDIRECTS = 'rulesets/phases/http_request_dynamic_redirect/entrypoint'
const ACTION = 'redirect'
/** A token without the right to rules works for all the rest, so its account need not rest. */
const NO_RIGHT = 403

export type CfApi = ReturnType<typeof cfApi>

/** `rulesHttp` never treats an error code as a refusal of the whole account. */
export function cfApi(
  { http, rulesHttp, budget }: { http: HttpClient; rulesHttp: HttpClient; budget: Budget },
  accountId: string,
) {
  async function call(what: HttpCall, signal: AbortSignal, by = http) {
    const answer = await budget(() => by(what, signal))
    if (answer.status === NO_RIGHT) {
      throw new DriverError('rejected', `${PROVIDER} denies us the right to redirect rules.`)
    }
    const said = readAs(PROVIDER, envelope, answer.json)
    if (said.success && answer.status < 300) return said
    if (isAbsent(answer, said.errors)) return undefined
    throw refusalOf(said.errors)
  }
  const callRules = (
    method: HttpCall['method'],
    path: string,
    signal: AbortSignal,
    json?: object,
  ) => call({ method, path, json, ownMeaning: [NO_RIGHT] }, signal, rulesHttp)
  const about = (found: CfZone, isRight: boolean): CfZone => {
    if (isRight) return found
    throw new DriverError('unavailable', `${PROVIDER} answered with another zone.`)
  }
  return {
    async findZone(name: string, signal: AbortSignal): Promise<CfZone | undefined> {
      const query = new URLSearchParams({ name, 'account.id': accountId })
      const said = await call({ method: 'GET', path: `/zones?${query}` }, signal)
      const [found] = readAs(PROVIDER, z.array(zone), said?.result ?? [])
      return found && about(found, found.name === name)
    },
    async getZone(id: string, signal: AbortSignal): Promise<CfZone | undefined> {
      const said = await call({ method: 'GET', path: `/zones/${id}` }, signal)
      if (said === undefined) return undefined
      const found = readAs(PROVIDER, zone, said.result)
      return about(found, found.id === id)
    },
    async createZone(name: string, signal: AbortSignal): Promise<CfZone> {
      const json = { account: { id: accountId }, name, type: 'full' }
      const said = await call({ method: 'POST', path: '/zones', json }, signal)
      const made = readAs(PROVIDER, zone, said?.result)
      return about(made, made.name === name)
    },
    async deleteZone(id: string, signal: AbortSignal): Promise<void> {
      await call({ method: 'DELETE', path: `/zones/${id}` }, signal)
    },
    /** Undefined when the zone is absent. */
    async listRecords(id: string, signal: AbortSignal): Promise<CfRecord[] | undefined> {
      const records: CfRecord[] = []
      for (let page = 1; page <= PAGES; page++) {
        const path = `/zones/${id}/dns_records?page=${page}&per_page=${PAGE}`
        const said = await call({ method: 'GET', path }, signal)
        if (said === undefined) return undefined
        records.push(...readAs(PROVIDER, z.array(record), said.result))
        if (page >= (said.result_info?.total_pages ?? 1)) return records
      }
      throw new DriverError('rejected', `${PROVIDER} holds more records in the zone than we read.`)
    },
    /** One transaction: first deletes, then posts. */
    async batch(id: string, json: CfBatch, signal: AbortSignal): Promise<void> {
      const path = `/zones/${id}/dns_records/batch`
      written(await call({ method: 'POST', path, json }, signal))
    },
    /** Undefined when the zone has no rules. */
    async getRedirects(id: string, signal: AbortSignal): Promise<CfRuleset | undefined> {
      const said = await callRules('GET', `/zones/${id}/${REDIRECTS}`, signal)
      return said && readAs(PROVIDER, ruleset, said.result)
    },
    /** Makes a zone's first rule: this call replaces all rules. */
    async firstRedirect(id: string, given: CfRuleDefinition, signal: AbortSignal): Promise<void> {
      const json = { rules: [{ ...given, action: ACTION }] }
      written(await callRules('PUT', `/zones/${id}/${REDIRECTS}`, signal, json))
    },
    async addRedirect(at: CfRulesetRef, given: CfRuleDefinition, signal: AbortSignal) {
      written(await callRules('POST', rulesOf(at), signal, { ...given, action: ACTION }))
    },
    /** Replaces the whole rule. */
    async setRedirect(at: CfRulesetRef, { id, ...given }: CfRule, signal: AbortSignal) {
      const json = { ...given, action: ACTION }
      written(await callRules('PATCH', `${rulesOf(at)}/${id}`, signal, json))
    },
    async deleteRedirect(at: CfRulesetRef, id: string, signal: AbortSignal): Promise<void> {
      await callRules('DELETE', `${rulesOf(at)}/${id}`, signal)
    },
  }
}

/** Throws if the object of a write has disappeared since it was read. */
function written(said: object | undefined): void {
  if (said) return
  throw new DriverError('conflict', `${PROVIDER} misses what was there a moment ago.`)
}

export type CfRulesetRef = { zone: string; ruleset: string }

const rulesOf = ({ zone: id, ruleset: of }: CfRulesetRef): string =>
  `/zones/${id}/rulesets/${of}/rules`

/** Codes for a malformed, expired or missing token. */
const REFUSALS = [6003, 6111, 9109, 10000]

export function refusesUs({ json }: HttpAnswer): Refused | undefined {
  const said = envelope.safeParse(json).data?.errors ?? []
  return said.some(({ code }) => REFUSALS.includes(code)) ? 'credentials' : undefined
}

/** Whether the zone is absent: 404, or by its code where other objects may be missing too. */
const isAbsent = ({ status }: HttpAnswer, errors: readonly { code: number }[]): boolean => {
  const codes = errors.map(({ code }) => code)
  // Reported with status 400 too.
  if (codes.includes(NO_SUCH_ZONE)) return true
  return status === 404 && codes.length > 0 && !codes.some(isNoRoute)
}
