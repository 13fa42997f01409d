/** The calls of the PowerDNS Authoritative Server's HTTP API (4.7 and later) that we make. */
import { z } from 'zod'
import { absolute } from '#names/domain-name.ts'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer, HttpClient } from '../../http.ts'
import { readAs } from '../../read-as.ts'

const PROVIDER = 'PowerDNS'

const rrset = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.int(),
  records: z.array(z.object({ content: z.string(), disabled: z.boolean().optional() })),
})
const zone = z.object({ name: z.string(), account: z.string(), rrsets: z.array(rrset).default([]) })
const refusal = z.object({ error: z.string() })

export type PdnsRRset = z.infer<typeof rrset>
export type PdnsZone = z.infer<typeof zone>
/** The change of an rrset: replaced whole, or deleted. */
export type PdnsChange = PdnsRRset & { changetype: 'REPLACE' | 'DELETE' }

export type PdnsApi = ReturnType<typeof pdnsApi>

export function pdnsApi(http: HttpClient, serverId: string) {
  const zones = `/api/v1/servers/${encodeURIComponent(serverId)}/zones`
  const at = (name: string) => `${zones}/${encodeURIComponent(absolute(name))}`
  return {
    async getZone(name: string, signal: AbortSignal): Promise<PdnsZone | undefined> {
      const answer = await http({ method: 'GET', path: at(name) }, signal)
      if (isAbsent(answer)) return undefined
      const found = readAs(PROVIDER, zone, expected(answer, 200))
      if (found.name.toLowerCase() === absolute(name)) return found
      throw new DriverError('unavailable', `${PROVIDER} answered with another zone.`)
    },
    /** False when a zone of that name exists. */
    async createZone(fresh: object, signal: AbortSignal): Promise<boolean> {
      const answer = await http({ method: 'POST', path: zones, json: fresh }, signal)
      if (answer.status === 409 && wordsOf(answer)) return false
      expected(answer, 201)
      return true
    },
    /** Applies all of the changes, or none. */
    async patchZone(name: string, changes: readonly PdnsChange[], signal: AbortSignal) {
      const call = { method: 'PATCH', path: at(name), json: { rrsets: changes } } as const
      const answer = await http(call, signal)
      if (isAbsent(answer)) {
        throw new DriverError('rejected', `There is no zone ${name} at ${PROVIDER}.`)
      }
      expected(answer, 204)
    },
    async deleteZone(name: string, signal: AbortSignal) {
      const answer = await http({ method: 'DELETE', path: at(name) }, signal)
      if (!isAbsent(answer)) expected(answer, 204)
    },
  }
}

function expected(answer: HttpAnswer, status: number): unknown {
  if (answer.status === status) return answer.json
  if (answer.status < 400) {
    throw new DriverError('unavailable', `${PROVIDER} answered ${answer.status} unexpectedly.`)
  }
  const said = wordsOf(answer)
  if (said) throw new DriverError('rejected', `${PROVIDER} refuses: ${said}`)
  const sentence = `${PROVIDER} answered ${answer.status} in a shape we do not know.`
  throw new DriverError('unavailable', sentence)
}

const wordsOf = ({ json }: HttpAnswer): string | undefined =>
  refusal.safeParse(json).data?.error.slice(0, 200)

/** By PowerDNS's message: a proxy before it answers 404 too. */
const isAbsent = (answer: HttpAnswer): boolean =>
  answer.status === 404 && wordsOf(answer) !== undefined
