/**
 * Sending by Azure Communication Services: a domain in an email service, linked to a communication
 * service. The domain's tag carries the claim's stamp. Each pass reads all states at Azure, so a pass
 * can be killed anywhere and repeated.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import { type HttpAnswer, httpClient, type Refused } from '../../http.ts'
import { type DriverKind, type Exclusive, type Notes, secret, serviceUrl } from '../../kind.ts'
import type { ClaimRef, Registration, SenderDriver } from '../contract.ts'
import { type Arm, type ArmDomain, armApi, type Provisioned } from './arm.ts'
import { emailOf, isOurs, progressOf, recordsOf, stampOf } from './convert.ts'
import { azureEvents } from './events.ts'
import { azureIdentities } from './identities.ts'
import { codeOf, notRegistered } from './refusals.ts'
import { azureSending, type Sending } from './sending.ts'
import { refusesToSignIn, tokenSource } from './token.ts'
import { CHECK_NOTES, followChecks, type VerificationOptions } from './verification.ts'

const name = z.string().regex(/^[\w.()-]{1,90}$/)

const settings = z.strictObject({
  tenant_id: name,
  client_id: name,
  client_secret: secret,
  subscription: name,
  resource_group: name,
  email_service: z.string().regex(/^[a-zA-Z0-9-]{1,63}$/),
  communication_service: z.string().regex(/^[-\w]{1,63}$/),
  data_location: z.string().min(1),
  management_url: serviceUrl.default('https://management.azure.com'),
  login_url: serviceUrl.default('https://login.microsoftonline.com'),
  /** The secret in the URL that Azure's Event Grid posts to; without it, events are refused. */
  event_secret: z.string().min(24).optional(),
  check_again_seconds: z.number().positive().default(60),
  check_stuck_seconds: z.number().positive().default(3600),
})

export const azure: DriverKind<SenderDriver, z.infer<typeof settings>> = {
  settings,
  open(given, { guard, notes, exclusive, now }) {
    const client = (baseUrl: string) => httpClient({ provider: 'Azure', baseUrl, guard, refusesUs })
    const login = {
      provider: 'Azure',
      baseUrl: given.login_url,
      guard,
      refusesUs: refusesToSignIn,
    }
    const token = tokenSource(httpClient(login), given, now)
    const arm = armApi(client(given.management_url), token, given)
    const againAfterMs = given.check_again_seconds * 1000
    const stuckAfterMs = given.check_stuck_seconds * 1000
    const checks = { arm, notes, againAfterMs, stuckAfterMs, now }
    const sending = azureSending({ arm, clientAt: client, now, warn: guard.warn })
    const events = given.event_secret === undefined ? undefined : azureEvents(given.event_secret)
    return {
      ...azureDriver({ arm, notes, exclusive, checks, sending }),
      ...(events && { events }),
    }
  },
}

/** Azure answers 403 for other refusals too, so the code decides. */
const refusesUs = (answer: HttpAnswer): Refused | undefined =>
  codeOf(answer) === 'AuthorizationFailed' ? 'right' : undefined

type Parts = {
  arm: Arm
  notes: Notes
  exclusive: Exclusive
  checks: VerificationOptions
  sending: Sending
}

export function azureDriver(parts: Parts): SenderDriver {
  const { arm, notes } = parts
  const services = ensureOnce(arm)
  return {
    promisesSpf: true,
    standingAuthor: 'DoNotReply',
    identities: azureIdentities(arm, ownDomain),
    async ensureDomain(claim, signal) {
      const waiting = await services(signal)
      if (waiting) return waiting
      const domain = await ensureDomain(parts, claim, signal)
      const progress = progressOf(domain.properties)
      if (progress === 'failed') throw await notMade(parts, claim, domain)
      const records = progress === 'ready' ? recordsOf(claim, domain) : undefined
      return records ? { is: 'registered', records } : stillMaking('the domain', domain.properties)
    },
    async verifyDomain(claim, signal) {
      const domain = await ownDomain(arm, claim, signal)
      if (!domain) throw notRegistered(claim)
      const verification = await followChecks(parts.checks, claim, domain, signal)
      if (verification.is === 'verified') await link(parts, domain.id, signal)
      return verification
    },
    async removeDomain(claim, signal) {
      const domain = await arm.getDomain(claim.name, signal)
      if (domain && !isOurs(claim, domain)) return
      await unlink(parts, arm.domainId(claim.name), signal)
      if (domain) await deleteDomain(arm, claim, signal)
      await notes.forget(claim.claimId)
    },
    async send(claim, mail, signal) {
      if (!(await ownDomain(arm, claim, signal))) throw notRegistered(claim)
      const email = await emailOf(mail, claim)
      // The same id each time: Azure does not send a message twice under one id.
      await notes.handedOver(claim.claimId, mail.id, mail.recipient)
      const takenAs = await parts.sending(mail.id, email, signal)
      if (takenAs !== mail.id) await notes.handedOver(claim.claimId, takenAs, mail.recipient)
    },
  }
}

async function ownDomain(
  arm: Arm,
  claim: ClaimRef,
  signal: AbortSignal,
): Promise<ArmDomain | undefined> {
  const domain = await arm.getDomain(claim.name, signal)
  return domain && isOurs(claim, domain) ? domain : undefined
}

/** The note of a reported failure: with it, the next call creates the domain again. */
const FAILED = 'failed'

/** A PUT overwrites an existing domain, stamp included: looking and making need a lock. */
async function ensureDomain(
  { arm, notes, exclusive }: Parts,
  claim: ClaimRef,
  signal: AbortSignal,
): Promise<ArmDomain> {
  const wasReported = (await notes.read(claim.claimId, FAILED)) !== undefined
  const standing = async (until: AbortSignal): Promise<ArmDomain | undefined> => {
    const domain = await arm.getDomain(claim.name, until)
    if (domain && !isOurs(claim, domain)) throw foreign(claim)
    const isToBeMadeAgain = wasReported && domain && progressOf(domain.properties) === 'failed'
    return isToBeMadeAgain ? undefined : domain
  }
  const make = async (held: AbortSignal): Promise<ArmDomain> => {
    const madeMeanwhile = await standing(held)
    if (madeMeanwhile) return madeMeanwhile
    await notes.drop(claim.claimId, [...CHECK_NOTES, FAILED])
    return arm.putDomain(claim.name, stampOf(claim), held)
  }
  const key = `azure domain ${arm.domainId(claim.name)}`
  return (await standing(signal)) ?? exclusive(key, make, signal)
}

async function notMade({ notes }: Parts, { claimId }: ClaimRef, { properties }: ArmDomain) {
  await notes.write(claimId, FAILED, 'true')
  const sentence = `Azure could not make the domain: its state is ${properties.provisioningState}.`
  return new DriverError('rejected', sentence)
}

/** Looks for the account's two services once a process; returns those still being made. */
function ensureOnce(arm: Arm) {
  let areReady = false
  return async (signal: AbortSignal): Promise<Registration | undefined> => {
    if (areReady) return undefined
    for (const kind of ['email', 'communication'] as const) {
      const service = await arm.ensureService(kind, signal)
      const progress = progressOf(service)
      if (progress === 'failed') throw failedService(kind, service)
      if (progress !== 'ready') return stillMaking(`the ${kind} service`, service)
    }
    areReady = true
    return undefined
  }
}

/** A fault of the account: it must not fail a domain. */
const failedService = (kind: string, { provisioningState }: Provisioned): DriverError =>
  new DriverError(
    'unavailable',
    `Azure could not make the ${kind} service: its state is ${provisioningState}.`,
  )

function stillMaking(what: string, resource: Provisioned): Registration {
  if (progressOf(resource) !== 'unknown') {
    return { is: 'waiting', reason: 'in_passage', message: `Azure is still making ${what}.` }
  }
  const word = resource.provisioningState?.slice(0, 60)
  const message = `Azure names a state of ${what} that we do not know (${word}); it is waited for.`
  return { is: 'waiting', reason: 'unknown_state', message }
}

const link = (parts: Parts, id: string, signal: AbortSignal): Promise<void> =>
  changeLinks(parts, (linked) => (isAmong(linked, id) ? linked : [...linked, id]), signal)

const unlink = (parts: Parts, id: string, signal: AbortSignal): Promise<void> =>
  changeLinks(parts, (linked) => linked.filter((each) => !isSameId(each, id)), signal)

const LINK_ROUNDS = 3

/**
 * The list of links is replaced whole: reading, changing and writing it need a lock. The list is read
 * back, and written again if the change is missing.
 */
async function changeLinks(
  { arm, exclusive }: Parts,
  change: (linked: readonly string[]) => readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const pending = async (until: AbortSignal) => {
    const linked = await arm.linkedDomains(until)
    const changed = change(linked)
    return changed.length === linked.length ? undefined : changed
  }
  if ((await pending(signal)) === undefined) return
  const write = async (held: AbortSignal) => {
    for (let round = 0; round < LINK_ROUNDS; round++) {
      const changed = await pending(held)
      if (changed === undefined) return
      await arm.setLinkedDomains(changed, held)
    }
    if ((await pending(held)) === undefined) return
    throw new DriverError('unavailable', 'Azure took the links of domains, and does not show them.')
  }
  await exclusive(arm.linkKey, write, signal)
}

/** Azure may return resource ids in other letter case. */
const isSameId = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
const isAmong = (ids: readonly string[], id: string): boolean =>
  ids.some((each) => isSameId(each, id))

const LOOKS = 20
const LOOK_MS = 500

/** Removes suppression lists and senders first. Deletion takes time; a later pass continues to wait. */
async function deleteDomain(arm: Arm, { name }: ClaimRef, signal: AbortSignal): Promise<void> {
  for (const list of await arm.listSuppressionLists(name, signal)) {
    await arm.deleteSuppressionList(name, list, signal)
  }
  for (const sender of await arm.listSenders(name, signal)) {
    if (sender.toLowerCase() !== 'donotreply') await arm.deleteSender(name, sender, signal)
  }
  await arm.deleteDomain(name, signal)
  for (let look = 0; look < LOOKS; look++) {
    if ((await arm.getDomain(name, signal)) === undefined) return
    await delay(LOOK_MS, undefined, { signal })
  }
  throw new DriverError('unavailable', 'Azure is still deleting the domain.')
}

const foreign = ({ name }: ClaimRef): DriverError =>
  new DriverError('conflict', `Azure has a domain ${name} that this claim did not make.`)
