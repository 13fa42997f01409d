/**
 * Zones at Cloudflare. It assigns the nameservers and holds one zone a name and account; a new zone gets
 * other nameservers, so an existing one is never made anew. A TXT record carries the claim's stamp;
 * until it exists, our notes name the claim that creates the zone.
 */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import { httpClient } from '../../http.ts'
import { type DriverKind, type Notes, secret, serviceUrl } from '../../kind.ts'
import type { Change, ClaimRef, ZoneDriver } from '../contract.ts'
import { effectiveChanges } from '../effective-changes.ts'
import { type CfApi, type CfRecord, type CfZone, cfApi, refusesUs } from './api.ts'
import { requestBudget } from './budget.ts'
import { stampName, stampOf, stampRRset, toBatches, toGroups, toRRset } from './convert.ts'
import { objectionTo } from './objections.ts'
import { redirectRules } from './redirects.ts'

const settings = z.strictObject({
  url: serviceUrl.default('https://api.cloudflare.com/client/v4'),
  account_id: z.string().min(1),
  api_token: secret,
  /** Operations in one batch: 200 in Free accounts, 3,500 in paid ones. */
  batch_limit: z.int().min(1).max(3500).default(200),
  /** Whether Cloudflare's rules redirect visitors, which the token needs a right for. */
  redirect_rules: z.boolean().default(false),
})

export const cloudflare: DriverKind<ZoneDriver, z.infer<typeof settings>> = {
  settings,
  open(given, { account, guard, notes, exclusive, now }) {
    const { url: baseUrl, account_id, api_token } = given
    const headers = { authorization: `Bearer ${api_token}` }
    const client = { provider: 'Cloudflare', baseUrl, headers, guard, hasOneBudget: true }
    const rulesHttp = httpClient(client)
    const http = httpClient({ ...client, refusesUs })
    return cloudflareDriver({
      api: cfApi({ http, rulesHttp, budget: requestBudget(guard, now) }, account_id),
      notes,
      batchLimit: given.batch_limit,
      hasRedirectRules: given.redirect_rules,
      now,
      alone: (name, work, signal) => exclusive(`${account} ${name}`, work, signal),
    })
  },
}

type Parts = {
  api: CfApi
  notes: Notes
  batchLimit: number
  hasRedirectRules: boolean
  now(): number
  /** Writers of one zone take turns: a batch with a record that exists is refused whole. */
  alone<T>(name: string, work: (held: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** `making` is when we began to make a zone, `zone` its id once known. */
const MAKING = 'making'
const ZONE = 'zone'
/** A zone created this close to our call was made by it, though the answer was lost. */
const LOST_ANSWER_MS = 120_000

export function cloudflareDriver(parts: Parts): ZoneDriver {
  const { api, notes } = parts
  const zoneOf = async (claim: ClaimRef, signal: AbortSignal) =>
    (await ownZone(parts, claim, signal))?.zone
  return {
    naming: 'host',
    oneZonePerName: true,
    async ensureZone(claim, signal) {
      const own = await ownZone(parts, claim, signal)
      const zone = own?.isStamped
        ? own.zone
        : await parts.alone(claim.name, (held) => make(parts, claim, held), signal)
      return { nameservers: zone.name_servers.map((name) => name.toLowerCase()).toSorted() }
    },
    async readZone(claim, signal) {
      const own = await ownZone(parts, claim, signal)
      return own && visible(parts, own.records, claim).map(toRRset)
    },
    async changeZone(claim, changes, signal) {
      await parts.alone(claim.name, (held) => change(parts, claim, changes, held), signal)
    },
    async removeZone(claim, signal) {
      const own = await ownZone(parts, claim, signal)
      if (own) await api.deleteZone(own.zone.id, signal)
      await notes.forget(claim.claimId)
    },
    redirects: parts.hasRedirectRules ? redirectRules({ ...parts, zoneOf }) : undefined,
    objectionTo,
  }
}

type Own = { zone: CfZone; records: readonly CfRecord[]; isStamped: boolean }

/** The claim's zone, by its noted id or by its name; undefined when it is absent, or not ours. */
async function ownZone(
  parts: Parts,
  claim: ClaimRef,
  signal: AbortSignal,
): Promise<Own | undefined> {
  const { api, notes } = parts
  const id = await notes.read(claim.claimId, ZONE)
  // By its id: without rights, a token gets an empty list, but an error for a zone by id.
  const zone = id ? await api.getZone(id, signal) : await api.findZone(claim.name, signal)
  const records = zone && (await api.listRecords(zone.id, signal))
  if (!zone || !records) return undefined
  const stamp = toGroups(records).find(({ name }) => name === stampName(claim.name))
  if (stamp) {
    return stamp.data.includes(stampOf(claim)) ? { zone, records, isStamped: true } : undefined
  }
  const isOurs = zone.id === id || isOfLostAnswer(zone, await notes.read(claim.claimId, MAKING))
  return isOurs ? { zone, records, isStamped: false } : undefined
}

const isOfLostAnswer = ({ created_on }: CfZone, making: string | undefined): boolean =>
  Math.abs(Date.parse(created_on) - Number(making ?? Number.NaN)) < LOST_ANSWER_MS

async function make(parts: Parts, claim: ClaimRef, signal: AbortSignal): Promise<CfZone> {
  const { api, notes } = parts
  const own = await ownZone(parts, claim, signal)
  const zone = own?.zone ?? (await newZone(parts, claim, signal))
  await notes.write(claim.claimId, ZONE, zone.id)
  if (!own?.isStamped) {
    const [stamp] = toBatches([], [{ put: stampRRset(claim) }], { limit: 1 })
    await api.batch(zone.id, stamp!, signal)
  }
  return zone
}

async function newZone({ api, notes, now }: Parts, claim: ClaimRef, signal: AbortSignal) {
  if (await api.findZone(claim.name, signal)) {
    const sentence = `Cloudflare has a zone ${claim.name} that this claim did not make.`
    throw new DriverError('conflict', sentence)
  }
  await notes.write(claim.claimId, MAKING, String(now()))
  try {
    return await api.createZone(claim.name, signal)
  } catch (error) {
    // After a refusal no zone was made: one that appears later is not ours.
    const isRefused = error instanceof DriverError && error.kind !== 'unavailable'
    if (isRefused) await notes.forget(claim.claimId)
    throw error
  }
}

async function change(
  parts: Parts,
  claim: ClaimRef,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<void> {
  const own = await ownZone(parts, claim, signal)
  if (!own) throw new DriverError('rejected', `There is no zone ${claim.name} at Cloudflare.`)
  const groups = visible(parts, own.records, claim)
  const effective = effectiveChanges(groups.map(toRRset), changes)
  const options = { limit: parts.batchLimit, leads: parts.hasRedirectRules }
  for (const batch of toBatches(groups, effective, options)) {
    await parts.api.batch(own.zone.id, batch, signal)
  }
}

const visible = (parts: Parts, records: readonly CfRecord[], claim: ClaimRef) =>
  toGroups(records, parts.hasRedirectRules).filter(({ name }) => name !== stampName(claim.name))
