/** Verifies a domain's records: it really queries the DNS, once for every initiation. */

import { randomUUID } from 'node:crypto'
import { relative } from '#names/domain-name.ts'
import { dkimName } from '#policy/dkim.ts'
import { isSpf } from '#policy/spf.ts'
import { SELECTORS } from './key.ts'
import {
  type Cloud,
  type DnsRecord,
  type Domain,
  type Stuck,
  VERIFICATION_TYPES,
  type Verification,
  type VerificationStatus,
  type VerificationType,
} from './state.ts'

const TTL_S = 3600

/** The verifications that sending needs; DMARC can be initiated, but nothing needs it. */
const NEEDED = ['Domain', 'SPF', 'DKIM', 'DKIM2'] as const satisfies VerificationType[]

export const isFullyVerified = (domain: Domain): boolean =>
  NEEDED.every((type) => domain.verifications[type].status === 'Verified')

export function notStarted(): Record<VerificationType, Verification> {
  const fresh = (): Verification => ({
    status: 'NotStarted',
    errorCode: undefined,
    startedAt: 0,
    run: 0,
  })
  return { Domain: fresh(), SPF: fresh(), DKIM: fresh(), DKIM2: fresh(), DMARC: fresh() }
}

/** The records of a new domain. Names take turns in all forms that Azure was seen to use. */
export function wantedRecords(cloud: Cloud, name: string): Domain['records'] {
  const { dkimZone, spfInclude } = cloud.settings
  const turn = cloud.domainsEverMade
  const written = (label: string, index: number): string => {
    const absolute = label === '@' ? name : `${label}.${name}`
    return [label, absolute, `${absolute}.`][(turn + index) % 3]!
  }
  const txt = (value: string, index: number): DnsRecord => ({
    type: 'TXT',
    name: written('@', index),
    value,
    ttl: TTL_S,
  })
  const cname = (selector: string, index: number): DnsRecord => ({
    type: 'CNAME',
    name: written(`${selector}._domainkey`, index),
    value: dkimName(selector, dkimZone),
    ttl: TTL_S,
  })
  return {
    Domain: txt(`ms-domain-verification=${randomUUID()}`, 0),
    SPF: txt(`v=spf1 include:${spfInclude} -all`, 1),
    DKIM: cname(SELECTORS.DKIM, 2),
    DKIM2: cname(SELECTORS.DKIM2, 3),
  }
}

export const isRunning = (status: VerificationStatus): boolean =>
  status === 'VerificationRequested' || status === 'VerificationInProgress'

export function initiate(cloud: Cloud, domain: Domain, type: VerificationType): void {
  const stuck = stuckOf(cloud, domain.name, type)
  if (stuck) stuck.initiationsLeft -= 1
  const { run } = domain.verifications[type]
  domain.verifications[type] = {
    status: 'VerificationRequested',
    errorCode: undefined,
    startedAt: cloud.settings.now(),
    run: run + 1,
  }
}

export function cancel(domain: Domain, type: VerificationType): void {
  const verification = domain.verifications[type]
  verification.status = 'CancellationRequested'
  verification.run += 1
}

const stuckOf = (cloud: Cloud, domain: string, type: VerificationType): Stuck | undefined =>
  cloud.stuck.get(`${domain.toLowerCase()}/${type}`)

/** Makes a verification hang until it has been initiated `times` more times. */
export function stick(
  cloud: Cloud,
  name: string,
  type: VerificationType,
  { times, as }: { times: number; as: Stuck['as'] },
): void {
  const running = [...cloud.emailServices.values()].some(({ domains }) => {
    const verification = domains.get(name.toLowerCase())?.verifications[type]
    return verification !== undefined && isRunning(verification.status)
  })
  const initiationsLeft = running ? times : times + 1
  cloud.stuck.set(`${name.toLowerCase()}/${type}`, { as, initiationsLeft })
}

/** Brings every verification up to date. */
export async function settle(cloud: Cloud, domain: Domain): Promise<void> {
  await Promise.all(VERIFICATION_TYPES.map((type) => settleOne(cloud, domain, type)))
}

async function settleOne(cloud: Cloud, domain: Domain, type: VerificationType): Promise<void> {
  const verification = domain.verifications[type]
  if (verification.status === 'CancellationRequested') verification.status = 'NotStarted'
  if (!isRunning(verification.status)) return
  const stuck = stuckOf(cloud, domain.name, type)
  if (stuck && stuck.initiationsLeft > 0) {
    // A verification stuck at NotStarted still counts as initiated: only the shown state is old.
    if (stuck.as === 'VerificationInProgress') verification.status = stuck.as
    return
  }
  verification.status = 'VerificationInProgress'
  const { run, startedAt } = verification
  if (cloud.settings.now() < startedAt + cloud.settings.verificationMs) return
  const outcome = await look(cloud, domain, type)
  if (outcome === 'cannot ask' || verification.run !== run) return
  verification.status = outcome === 'as wanted' ? 'Verified' : 'VerificationFailed'
  verification.errorCode = outcome === 'as wanted' ? undefined : outcome
}

/** The state that is shown. */
export function shownState(cloud: Cloud, domain: Domain, type: VerificationType) {
  const { status, errorCode } = domain.verifications[type]
  const stuck = stuckOf(cloud, domain.name, type)
  const hangsUnseen = stuck?.as === 'NotStarted' && stuck.initiationsLeft > 0
  const shown: VerificationStatus = hangsUnseen && isRunning(status) ? 'NotStarted' : status
  return { status: shown, ...(errorCode !== undefined && { errorCode }) }
}

export const shownStates = (cloud: Cloud, domain: Domain) =>
  Object.fromEntries(VERIFICATION_TYPES.map((type) => [type, shownState(cloud, domain, type)]))

type Outcome = 'as wanted' | 'cannot ask' | ErrorCode
/** Our guess: Azure's codes here are not documented. */
type ErrorCode = 'RecordNotFound' | 'RecordMismatch' | 'MultipleSpfRecords'

async function look(cloud: Cloud, domain: Domain, type: VerificationType): Promise<Outcome> {
  try {
    return await LOOKS[type](cloud, domain)
  } catch {
    return 'cannot ask'
  }
}

type Look = (cloud: Cloud, domain: Domain) => Promise<Outcome>

const LOOKS: Record<VerificationType, Look> = {
  async Domain({ settings }, { name, records }) {
    const found = await settings.ask(name.toLowerCase(), 'TXT')
    return found.includes(records.Domain!.value) ? 'as wanted' : 'RecordNotFound'
  },
  async SPF({ settings }, { name }) {
    const policies = (await settings.ask(name.toLowerCase(), 'TXT')).filter(isSpf)
    return judgeSpf(policies, settings.spfInclude)
  },
  DKIM: (cloud, domain) => lookForCname(cloud, domain, 'DKIM'),
  DKIM2: (cloud, domain) => lookForCname(cloud, domain, 'DKIM2'),
  async DMARC({ settings }, { name }) {
    const found = await settings.ask(`_dmarc.${name.toLowerCase()}`, 'TXT')
    return found.some((txt) => /^v=DMARC1\s*;/i.test(txt)) ? 'as wanted' : 'RecordNotFound'
  },
}

/** Documented: a softfail does not pass, and only one policy is allowed. */
function judgeSpf(policies: readonly string[], spfInclude: string): Outcome {
  const [policy, ...more] = policies
  if (policy === undefined) return 'RecordNotFound'
  if (more.length > 0) return 'MultipleSpfRecords'
  const terms = policy.trim().toLowerCase().split(/ +/)
  const isIncluded = terms.includes(`include:${spfInclude.toLowerCase()}`)
  return isIncluded && terms.at(-1) === '-all' ? 'as wanted' : 'RecordMismatch'
}

async function lookForCname(
  { settings }: Cloud,
  { name, records }: Domain,
  type: 'DKIM' | 'DKIM2',
): Promise<Outcome> {
  const [target] = await settings.ask(dkimName(SELECTORS[type], name.toLowerCase()), 'CNAME')
  if (target === undefined) return 'RecordNotFound'
  return relative(target) === relative(records[type]!.value) ? 'as wanted' : 'RecordMismatch'
}
