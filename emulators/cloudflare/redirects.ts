/**
 * Dynamic redirects: the entrypoint ruleset of their phase, and its single rules. They are stored and
 * returned as written; the edge parses their expressions for each visitor. The real API refuses an
 * expression that it cannot parse.
 */
import { Refused, type Reply } from './answers.ts'
import { type Call, zoneOf } from './call.ts'
import { bodyOf, type Given, isGiven } from './given.ts'
import { type HeldZone, newId, type Redirect, type Ruleset, type Target } from './world.ts'

export const PHASE = 'http_request_dynamic_redirect'
const STATUS_CODES: readonly unknown[] = [301, 302, 303, 307, 308]
const USUAL_STATUS = 302

export function readEntrypoint(call: Call): Reply {
  const { redirects } = zoneOf(call)
  if (redirects === undefined) throw new Refused('entrypoint_absent', PHASE)
  return { result: rulesetResult(redirects) }
}

/** Replaces all rules of the phase: a rule missing in the body is gone. */
export function replaceEntrypoint(call: Call): Reply {
  const zone = zoneOf(call)
  const body = bodyOf(call.request)
  const odd = Object.keys(body).find((key) => !['rules', 'description', 'name'].includes(key))
  if (odd !== undefined) throw new Refused('field_unknown', odd)
  if (!Array.isArray(body.rules)) throw new Refused('rule_invalid', 'rules is not a list')
  const now = call.world.now().toISOString()
  const rules = body.rules.map((given) => replacedRule(zone, given, now))
  const description = typeof body.description === 'string' ? body.description : ''
  return keep(zone, rules, now, description)
}

export function addRule(call: Call): Reply {
  const zone = zoneOf(call)
  const ruleset = rulesetOf(call, zone)
  const now = call.world.now().toISOString()
  return keep(zone, [...ruleset.rules, newRule(bodyOf(call.request), now)], now)
}

/** The body is the whole new definition: omitted fields are not kept. */
export function patchRule(call: Call): Reply {
  const zone = zoneOf(call)
  const { rules } = rulesetOf(call, zone)
  const before = ruleOf(call, rules)
  const now = call.world.now().toISOString()
  const after = nextRule(before, bodyOf(call.request), now)
  const kept = rules.map((rule) => (rule === before ? after : rule))
  return keep(zone, kept, now)
}

export function removeRule(call: Call): Reply {
  const zone = zoneOf(call)
  const { rules } = rulesetOf(call, zone)
  const gone = ruleOf(call, rules)
  const kept = rules.filter((rule) => rule !== gone)
  return keep(zone, kept, call.world.now().toISOString())
}

function rulesetOf({ params }: Call, { redirects }: HeldZone): Ruleset {
  if (redirects?.id !== params.ruleset) throw new Refused('ruleset_absent')
  return redirects!
}

function ruleOf({ params }: Call, rules: readonly Redirect[]): Redirect {
  const rule = rules.find(({ id }) => id === params.rule)
  if (rule === undefined) throw new Refused('rule_absent')
  return rule
}

function keep(zone: HeldZone, rules: readonly Redirect[], now: string, said?: string): Reply {
  const before = zone.redirects
  zone.redirects = {
    id: before?.id ?? newId(),
    version: (before?.version ?? 0) + 1,
    lastUpdated: now,
    description: said ?? before?.description ?? '',
    rules,
  }
  return { result: rulesetResult(zone.redirects) }
}

/** A rule with an id replaces the rule of that id; one without is new. */
function replacedRule(zone: HeldZone, given: unknown, now: string): Redirect {
  if (!isGiven(given)) throw new Refused('rule_invalid', 'not an object')
  if (given.id === undefined) return newRule(given, now)
  const before = zone.redirects?.rules.find(({ id }) => id === given.id)
  if (before === undefined) throw new Refused('rule_absent')
  return nextRule(before, given, now)
}

function newRule(given: Given, now: string): Redirect {
  const id = newId()
  return { ...definitionOf(given, id), id, version: 1, lastUpdated: now }
}

function nextRule(before: Redirect, given: Given, now: string): Redirect {
  const { id, version } = before
  return { ...definitionOf(given, before.ref), id, version: version + 1, lastUpdated: now }
}

type Definition = Omit<Redirect, 'id' | 'version' | 'lastUpdated'>

function definitionOf(given: Given, usualRef: string): Definition {
  const { action, expression, description = '', enabled = true, ref = usualRef } = given
  if (given.position !== undefined) throw new Refused('not_emulated', 'the position of a rule')
  if (action !== 'redirect') throw new Refused('rule_invalid', `action ${action}`)
  if (typeof expression !== 'string' || expression === '') {
    throw new Refused('rule_invalid', 'no expression')
  }
  if (typeof description !== 'string' || typeof enabled !== 'boolean' || typeof ref !== 'string') {
    throw new Refused('rule_invalid', 'description, enabled or ref of the wrong type')
  }
  return { expression, description, enabled, ref, ...redirectOf(given.action_parameters) }
}

function redirectOf(parameters: unknown) {
  const from = isGiven(parameters) ? parameters.from_value : undefined
  if (!isGiven(from)) throw new Refused('rule_invalid', 'no from_value')
  const { status_code: statusCode = USUAL_STATUS, preserve_query_string: isQueryKept = false } =
    from
  if (typeof statusCode !== 'number' || !STATUS_CODES.includes(statusCode)) {
    throw new Refused('rule_invalid', `status_code ${statusCode}`)
  }
  if (typeof isQueryKept !== 'boolean') throw new Refused('rule_invalid', 'preserve_query_string')
  return { statusCode, isQueryKept, target: targetOf(from.target_url) }
}

function targetOf(target: unknown): Target {
  const { value, expression } = isGiven(target) ? target : {}
  if (typeof value === 'string' && value !== '' && expression === undefined) return { value }
  if (typeof expression === 'string' && expression !== '' && value === undefined) {
    return { expression }
  }
  throw new Refused('rule_invalid', 'target_url needs a value or an expression')
}

const rulesetResult = ({ id, version, lastUpdated, description, rules }: Ruleset) => ({
  id,
  name: 'default',
  description,
  kind: 'zone',
  phase: PHASE,
  version: String(version),
  last_updated: lastUpdated,
  rules: rules.map(ruleResult),
})

const ruleResult = (rule: Redirect) => ({
  id: rule.id,
  version: String(rule.version),
  action: 'redirect',
  action_parameters: {
    from_value: {
      status_code: rule.statusCode,
      target_url: rule.target,
      preserve_query_string: rule.isQueryKept,
    },
  },
  expression: rule.expression,
  description: rule.description,
  last_updated: rule.lastUpdated,
  ref: rule.ref,
  enabled: rule.enabled,
})
