/**
 * Redirects by Cloudflare's rules. They apply only to traffic through its web servers, so a redirect's
 * records are proxied, with an address without a host. The entrypoint of the phase lists all rules of
 * the zone: ours carries the claim's stamp, and others are left unchanged.
 */
import { isDeepStrictEqual } from 'node:util'
import { DriverError } from '../../errors.ts'
import type { ClaimRef, Redirect, RedirectRules } from '../contract.ts'
import type { CfApi, CfRule, CfRuleDefinition, CfZone } from './api.ts'
import { ORIGINLESS, stampOf } from './convert.ts'

export type RuleParts = {
  api: CfApi
  /** The claim's zone; undefined when it is absent, or not the claim's. */
  zoneOf(claim: ClaimRef, signal: AbortSignal): Promise<CfZone | undefined>
  /** Writers of one zone take turns: two that find no rule would both make one. */
  alone<T>(name: string, work: (held: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>
}

export function redirectRules({ api, zoneOf, alone }: RuleParts): RedirectRules {
  async function ensure(claim: ClaimRef, redirect: Redirect, signal: AbortSignal): Promise<void> {
    const zone = await zoneOf(claim, signal)
    if (!zone) throw new DriverError('rejected', `There is no zone ${claim.name} at Cloudflare.`)
    const wanted = ruleOf(claim, redirect)
    const ruleset = await api.getRedirects(zone.id, signal)
    if (!ruleset) return api.firstRedirect(zone.id, wanted, signal)
    const at = { zone: zone.id, ruleset: ruleset.id }
    const there = ruleset.rules.find(isOf(claim))
    if (!there) return api.addRedirect(at, wanted, signal)
    if (!isAs(there, wanted)) await api.setRedirect(at, { ...wanted, id: there.id }, signal)
  }

  async function remove(claim: ClaimRef, signal: AbortSignal): Promise<void> {
    const zone = await zoneOf(claim, signal)
    const ruleset = zone && (await api.getRedirects(zone.id, signal))
    if (!ruleset) return
    for (const { id } of ruleset.rules.filter(isOf(claim))) {
      await api.deleteRedirect({ zone: zone.id, ruleset: ruleset.id }, id, signal)
    }
  }

  return {
    address: ORIGINLESS,
    ensure: (claim, redirect, signal) =>
      alone(claim.name, (held) => ensure(claim, redirect, held), signal),
    remove: (claim, signal) => alone(claim.name, (held) => remove(claim, held), signal),
  }
}

const descriptionOf = (claim: ClaimRef): string => `mailstead ${stampOf(claim)}`

const isOf = (claim: ClaimRef) => (rule: CfRule) => rule.description === descriptionOf(claim)

function ruleOf(claim: ClaimRef, redirect: Redirect): CfRuleDefinition {
  const { hosts, targetDomain, statusCode, preservePath, preserveQueryString } = redirect
  const names = [...new Set(hosts)].toSorted().map((host) => JSON.stringify(host))
  const target = `https://${targetDomain}`
  return {
    description: descriptionOf(claim),
    enabled: true,
    expression: `(http.host in {${names.join(' ')}})`,
    action_parameters: {
      from_value: {
        status_code: statusCode,
        target_url: preservePath
          ? { expression: `concat(${JSON.stringify(target)}, http.request.uri.path)` }
          : { value: `${target}/` },
        preserve_query_string: preserveQueryString,
      },
    },
  }
}

const isAs = ({ id: _, ...there }: CfRule, wanted: CfRuleDefinition): boolean =>
  isDeepStrictEqual(there, wanted)
