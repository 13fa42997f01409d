/** The contracts that the lifecycle of a domain needs, given by the composition root. */

import type { Refusal } from '#drivers/errors.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import type { Purpose } from '#drivers/records.ts'
import type { Identity, SenderDriver } from '#drivers/sender/contract.ts'
import type { Redirect, RRsetType, ZoneDriver } from '#drivers/zone/contract.ts'
import type { Outcome } from '#engine/worker.ts'
import type { NewEvent } from '#events/catalogue.ts'
import type { Observer } from '#resolver/parent.ts'
import type { Resolver } from '#resolver/resolver.ts'
import type { Surveyor } from '#resolver/survey.ts'
import type { Clock } from '../clock.ts'
import type { CustomerRecord } from './customer-records.ts'
import type { Claim, ConditionType, DelegationReport, Domain, Verdict } from './types.ts'

/** The customer's own records in the hosted zone. */
export type CustomerRecordStore = {
  /** The records to publish, and those to remove. */
  list(
    domain: Domain,
  ): Promise<{ wanted: readonly CustomerRecord[]; unwanted: readonly CustomerRecord[] }>
  /** Stores what the import found at the former host; done once. */
  keepImported(
    domain: Domain,
    records: readonly CustomerRecord[],
    outcome: ImportOutcome,
  ): Promise<void>
  /** Marks them for removal. */
  drop(domain: Domain, records: readonly CustomerRecord[]): Promise<void>
  /** Deletes removed records that the zone no longer has. */
  forget(domain: Domain, records: readonly CustomerRecord[]): Promise<void>
}

/** How an import ended: whether all of the zone is known, and sentences on what is not. */
export type ImportOutcome = { state: 'done' | 'incomplete'; note: string }

/** The drivers of one domain, and the stores on it. A domain keeps its drivers for life. */
export type Ports = {
  zone: ZoneDriver
  sender: SenderDriver
  mailbox: MailboxDriver
  observer: Observer
  /** The public DNS as a resolver with an empty cache sees it. */
  publicDns: Resolver
  custody: Custody
  records: OwnedRecordStore
  customers: CustomerRecordStore
  /** Finds what a name serves now, before it moves here. */
  surveyor: Surveyor
  probes: ProbeStore
  inboxes: InboxStore
  redirects: RedirectStore
  clock: Clock
  /** Least time between looks at one name's parent, in milliseconds; a request may come sooner. */
  soonestLookMs: number
  /** The host that receives and judges probes, without trailing dot; undefined without an inbound. */
  probeHost: string | undefined
  /** The host in the MX of domains whose mail comes here, without trailing dot. */
  mailHost: string
  /** The zone host of another domain, by the name of its account. */
  zoneHost(account: string): ZoneDriver
}

/** Who holds a name; see claims.ts. Each call is one transaction. */
export type Custody = {
  /** Every name of the pool: tells our nameservers from others. */
  readonly pool: readonly string[]
  /** The claim's pair, or a new one that avoids what the parent shows now. */
  drawPair(claim: Claim, shown: readonly string[]): Promise<readonly string[]>
  /** The claim's nameservers as its zone host assigned them. */
  assignPair(claim: Claim, nameservers: readonly string[]): Promise<void>
  /** The nearest holder above the name whose zone is hosted here, if any. */
  enclosingHolder(claim: Claim): Promise<EnclosingHolder | undefined>
  /** Whether another claim on the name already has a zone, or is getting one, at the same host. */
  isZoneTaken(claim: Claim): Promise<boolean>
  /** Makes the claim the holder of its name. */
  confirm(claim: Claim): Promise<void>
  holds(claim: Claim): Promise<boolean>
  /** Whether another claim is the holder. */
  isDisplaced(claim: Claim): Promise<boolean>
  /** Whether a former holder's objects at the mail services are still to be removed. */
  isHandingOver(claim: Claim): Promise<boolean>
  /** Stores whether the parent shows pool names other than the pair: then the name is not served early. */
  setPointsAtPool(claim: Claim, pointsAtPool: boolean): Promise<void>
}

/** `account` names the host of its zone. */
export type EnclosingHolder = { claim: Claim; sameWorkspace: boolean; account: string }

/** Our records of a domain, as last seen from outside. */
export type OwnedRecordStore = {
  list(domain: Domain): Promise<readonly OwnedRecord[]>
  replace(domain: Domain, records: readonly OwnedRecord[]): Promise<void>
}

/** One value at one name. `name` is absolute; `value` is rdata in presentation form. */
export type OwnedRecord = {
  name: string
  type: RRsetType
  value: string
  ttl: number
  purpose: Purpose
  status: 'published' | 'pending' | 'missing' | 'mismatch'
  observed: readonly string[]
}

export type ProbeStore = {
  latest(domain: Domain): Promise<Probe | undefined>
  /** The latest judged probe, if any. */
  lastJudged(domain: Domain): Promise<JudgedProbe | undefined>
  /** Stores a probe before we send it, so that the receiver accepts it. */
  open(domain: Domain, probe: { recipient: string; fingerprint: string }): Promise<void>
  /** Records that we sent the probe. */
  sent(recipient: string): Promise<void>
  forget(domain: Domain): Promise<void>
}

/** The inboxes of a domain, whose mailboxes a pass creates and removes. */
export type InboxStore = {
  /**
   * The inboxes that need a mailbox, and an identity where the sender grants them one by one; and the localparts
   * of deleted inboxes that may still have them.
   */
  list(domain: Domain): Promise<{ wanted: readonly Identity[]; unwanted: readonly string[] }>
  /** Marks the inboxes as ready: each has its mailbox and its identity. */
  ready(domain: Domain, localparts: readonly string[]): Promise<void>
  /** Records that a service refused the mailbox or the identity of an inbox. */
  refused(domain: Domain, localpart: string, refusal: Refusal): Promise<void>
  /** Marks deleted inboxes as removed at the services. */
  removed(domain: Domain, localparts: readonly string[]): Promise<void>
}

export type Probe = {
  fingerprint: string
  /** Undefined before it is sent. */
  sentAt: Date | undefined
  judgement: ProbeJudgement | undefined
}

/** `followedAt` is when the next probe was sent. */
export type JudgedProbe = {
  fingerprint: string
  judgement: ProbeJudgement
  followedAt: Date | undefined
}

export type ProbeJudgement = {
  spf: { result: string; aligned: boolean; domain?: string }
  dkim: { result: string; aligned: boolean }
  dmarc: { result: string }
}

/** The redirect of a domain's web addresses. */
export type RedirectStore = {
  /** The addresses of our redirect servers; empty without any. */
  addresses: readonly string[]
  /** Undefined for a domain without a redirect. */
  wanted(domain: Domain): Promise<WantedRedirect | undefined>
  /** Records that the zone host refused the redirect; once for each redirect. */
  refused(domain: Domain, message: string): Promise<void>
}

/** `changedAt` is when it was requested. */
export type WantedRedirect = Omit<Redirect, 'hosts'> & { changedAt: Date }

/** Records what a pass finds, while its lease is valid: see recorder.ts. */
export type Recorder = Placements & {
  /** Records that a stage begins: the API shows it as waiting before the stage calls a provider. */
  beginStage(type: ConditionType): Promise<void>
  /** Records the verdict of a stage; `next` is the stage that begins now. */
  recordVerdict(type: ConditionType, verdict: Verdict, next?: ConditionType): Promise<void>
  /** Records that a provider refused the current stage. */
  recordRefusal(verdict: Verdict): Promise<void>
  /** Records that the look at the current stage failed; its verdict stays. */
  recordFailedLook(message: string, nextLookMs: number): Promise<void>
  /** The columns to write when the row is given back, due again after that time. */
  nextLookColumns(afterMs: number): NonNullable<Outcome['columns']>
  /** Sets the report on the delegation; the next verdict writes it. */
  setDelegation(report: DelegationReport): void
  /** Adds an event; the next verdict writes it. */
  addEvent(event: NewEvent): void
  /** Sets the current stage of a removal. */
  beginRemoval(stage: ConditionType): void
}

/** The objects of the claim at providers. Each call throws once another worker took the domain. */
export type Placements = {
  /** The stages with an object at a provider that is not removed yet. */
  readonly placements: ReadonlySet<ConditionType>
  /** Records a placement before the driver creates the object, so that a removal finds it. */
  recordPlacement(claim: Claim, stage: ConditionType): Promise<void>
  recordStageRemoved(claim: Claim, stage: ConditionType): Promise<void>
  /** Records that all but the zone is removed. */
  recordTornDown(): Promise<void>
  /** Records that the domain is removed from all its services. */
  recordDomainRemoved(): Promise<void>
}
