/** Finds the route of a request, after authentication, and turns its result or refusal into an answer. */
import type { EmulatedAnswer, EmulatedRequest } from '../server.ts'
import { Refused, refusalAnswer, successAnswer } from './answers.ts'
import type { Call, Handler } from './call.ts'
import * as records from './records.ts'
import * as redirects from './redirects.ts'
import type { World } from './world.ts'
import * as zones from './zones.ts'

const BASE = '/client/v4'
const ZONE = '/zones/:zone'
const RECORD = `${ZONE}/dns_records/:record`
const ENTRYPOINT = `${ZONE}/rulesets/phases/${redirects.PHASE}/entrypoint`
const RULES = `${ZONE}/rulesets/:ruleset/rules`

const ROUTES: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ['GET', '/zones', zones.listZones],
  ['POST', '/zones', zones.createZone],
  ['GET', ZONE, zones.readZone],
  ['DELETE', ZONE, zones.removeZone],
  ['PUT', `${ZONE}/activation_check`, zones.checkActivation],
  ['GET', `${ZONE}/dns_records`, records.listRecords],
  ['POST', `${ZONE}/dns_records`, records.createRecord],
  ['POST', `${ZONE}/dns_records/batch`, records.batchRecords],
  ['GET', RECORD, records.readRecord],
  ['PATCH', RECORD, records.patchRecord],
  ['PUT', RECORD, records.overwriteRecord],
  ['DELETE', RECORD, records.removeRecord],
  ['GET', ENTRYPOINT, redirects.readEntrypoint],
  ['PUT', ENTRYPOINT, redirects.replaceEntrypoint],
  ['POST', RULES, redirects.addRule],
  ['PATCH', `${RULES}/:rule`, redirects.patchRule],
  ['DELETE', `${RULES}/:rule`, redirects.removeRule],
]

export function answerCall(world: World, request: EmulatedRequest): EmulatedAnswer {
  try {
    authenticate(world, request)
    const { handler, params } = routeOf(request)
    if (params.zone !== undefined) refuseWithoutRight(world, request.path, params.zone)
    return successAnswer(handler({ world, request, params }))
  } catch (error) {
    if (error instanceof Refused) return refusalAnswer(error.kind, error.subject)
    throw error
  }
}

function authenticate({ apiToken, isRevoked }: World, { headers }: EmulatedRequest): void {
  const { authorization } = headers
  if (authorization === undefined) throw new Refused('authorization_missing')
  const token = /^Bearer ([\w-]{40,})$/.exec(authorization)?.[1]
  if (token === undefined) throw new Refused('authorization_malformed')
  if (token !== apiToken || isRevoked) throw new Refused('unauthenticated')
}

/** A token may have rights to zones and their records, and none to their redirect rules. */
function refuseWithoutRight(world: World, path: string, zone: string): void {
  if (world.isForbidden) throw new Refused('may_not_touch')
  const isOfRules = path.startsWith(`${BASE}/zones/${zone}/rulesets/`)
  if (isOfRules && world.areRedirectsForbidden) throw new Refused('may_not_redirect')
}

function routeOf({ method, path }: EmulatedRequest): Pick<Call, 'params'> & { handler: Handler } {
  const asked = path.startsWith(`${BASE}/`) ? path.slice(BASE.length).split('/') : []
  for (const [routeMethod, routePath, handler] of ROUTES) {
    const params = routeMethod === method ? matched(routePath.split('/'), asked) : undefined
    if (params !== undefined) return { handler, params }
  }
  throw new Refused('no_route', path)
}

const IDENTIFIER = /^[0-9a-f]{32}$/

function matched(
  route: readonly string[],
  asked: readonly string[],
): Record<string, string> | undefined {
  if (route.length !== asked.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of route.entries()) {
    const given = asked[index]!
    if (!part.startsWith(':')) {
      if (part !== given) return undefined
    } else if (IDENTIFIER.test(given)) params[part.slice(1)] = given
    else return undefined
  }
  return params
}
