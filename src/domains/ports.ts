/** What the life of a domain needs from the world: contracts only, handed in by the composition root. */

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
export type CustomerBook = {
  /** Those that are to be there, and those that were taken out. */
  list(
    domain: Domain,
  ): Promise<{ wanted: readonly CustomerRecord[]; unwanted: readonly CustomerRecord[] }>
  /** Keeps what was found where the name was served before; asked for once. */
  keepImported(
    domain: Domain,
    records: readonly CustomerRecord[],
    outcome: ImportOutcome,
  ): Promise<void>
  /** They are not wanted any more. */
  drop(domain: Domain, records: readonly CustomerRecord[]): Promise<void>
  /** They were taken out, and are not in the zone any more. */
  forget(domain: Domain, records: readonly CustomerRecord[]): Promise<void>
}

/** How an import ended: whether all of the zone is known, and sentences on what is not. */
export type ImportOutcome = { state: 'done' | 'incomplete'; note: string }

/** What the drivers of one domain, and the books on it, can do: where it was placed, it stays. */
export type Ports = {
  zone: ZoneDriver
  sender: SenderDriver
  mailbox: MailboxDriver
  observer: Observer
  /** The public DNS as someone sees it who asks for the first time. */
  publicDns: Resolver
  custody: Custody
  records: RecordBook
  customers: CustomerBook
  /** Finds what a name serves now, before it moves here. */
  surveyor: Surveyor
  probes: ProbeBook
  inboxes: InboxBook
  redirects: RedirectBook
  clock: Clock
  /** The parent is asked about one name at most so often, in milliseconds, unless someone asks. */
  soonestLookMs: number
  /** Where probe messages are received and judged, without trailing dot; undefined without an inbound. */
  probeHost: string | undefined
  /** What the MX of a domain points to whose mail comes here, without trailing dot. */
  mailHost: string
  /** The zone host of another domain, by the name of its account. */
  zoneHost(account: string): ZoneDriver
}

/** Who holds a name; see claims.ts. Each call is one transaction. */
export type Custody = {
  /** Every name of the pool, for telling a pair of ours from a stranger's servers. */
  readonly pool: readonly string[]
  /** The claim's pair: the one it has, or a fresh draw that avoids what the parent shows now. */
  drawPair(claim: Claim, shown: readonly string[]): Promise<readonly string[]>
  /** The claim's nameservers as its zone host assigned them. */
  assignPair(claim: Claim, nameservers: readonly string[]): Promise<void>
  /** The nearest holder above the name whose zone is hosted here, if any. */
  enclosingHolder(claim: Claim): Promise<EnclosingHolder | undefined>
  /** Whether another claim on the name got a zone made, or about to be, at the same host before. */
  isZoneTaken(claim: Claim): Promise<boolean>
  /** Makes the claim the holder of its name. */
  confirm(claim: Claim): Promise<void>
  holds(claim: Claim): Promise<boolean>
  /** Whether another claim is the holder. */
  isDisplaced(claim: Claim): Promise<boolean>
  /** Whether a former holder's objects at the mail services are still to be removed. */
  isHandingOver(claim: Claim): Promise<boolean>
  /** Remembers whether the parent shows names of the pool but not the claim's pair: then it is not served early. */
  noteShown(claim: Claim, pointsAtPool: boolean): Promise<void>
}

/** `account` is the zone host its zone is at. */
export type EnclosingHolder = { claim: Claim; sameWorkspace: boolean; account: string }

/** The records of a domain that are ours, and what was last seen of them. */
export type RecordBook = {
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

export type ProbeBook = {
  latest(domain: Domain): Promise<Probe | undefined>
  /** The last that was judged, if any. */
  lastJudged(domain: Domain): Promise<JudgedProbe | undefined>
  /** Notes a probe before it is sent, so that its arrival is expected. */
  open(domain: Domain, probe: { recipient: string; fingerprint: string }): Promise<void>
  /** Notes that it is on its way. */
  sent(recipient: string): Promise<void>
  forget(domain: Domain): Promise<void>
}

/** The inboxes of a domain, whose mailboxes a pass makes and takes away. */
export type InboxBook = {
  /** The inboxes that want a mailbox, and an identity where the sender grants them one by one. */
  wanted(domain: Domain): Promise<readonly Identity[]>
  /** These have both now: their inboxes are ready for use. */
  ready(domain: Domain, localparts: readonly string[]): Promise<void>
  /** A service will not give this one its mailbox, or let it send. */
  refused(domain: Domain, localpart: string, refusal: Refusal): Promise<void>
}

export type Probe = {
  fingerprint: string
  /** Undefined while it is only noted. */
  sentAt: Date | undefined
  judgement: ProbeJudgement | undefined
}

/** `followedAt` is when the first was sent after it. */
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

/** Where the web addresses of a domain are to lead. */
export type RedirectBook = {
  /** Of our own servers that answer for redirects; none: there are none. */
  addresses: readonly string[]
  /** Undefined for a domain without a redirect. */
  wanted(domain: Domain): Promise<WantedRedirect | undefined>
  /** The zone host will not lead visitors so; told once for each thing that was asked of it. */
  refused(domain: Domain, message: string): Promise<void>
}

/** `changedAt` is when it was asked for. */
export type WantedRedirect = Omit<Redirect, 'hosts'> & { changedAt: Date }

/** Records what a pass finds, while the domain is its own: see recorder.ts. */
export type Recorder = Placements & {
  /** A stage's turn has come; it is shown as waiting before any provider is called. */
  begin(type: ConditionType): Promise<void>
  /** Of a stage; `next` is the one whose turn comes with it. */
  verdict(type: ConditionType, verdict: Verdict, next?: ConditionType): Promise<void>
  /** The stage whose turn it is was refused. */
  refused(verdict: Verdict): Promise<void>
  /** The stage whose turn it is could not be looked at; its verdict stays. */
  couldNotLook(message: string, nextLookMs: number): Promise<void>
  /** The columns to write when the domain is given back, to be looked at again that much later. */
  nextLook(afterMs: number): NonNullable<Outcome['columns']>
  /** What the parent showed; written with the verdict on it. */
  delegation(report: DelegationReport): void
  /** What a stage did; written with the verdict that follows. */
  tell(event: NewEvent): void
  /** A stage's turn to be removed has come. */
  removing(stage: ConditionType): void
}

/** What stands at providers for the claim. Each call is dropped once another worker has taken the domain. */
export type Placements = {
  /** The stages at which something was made for the claim and not removed yet. */
  readonly placements: ReadonlySet<ConditionType>
  /** Notes that a driver is about to be asked to make something, so that it will be removed. */
  placed(claim: Claim, stage: ConditionType): Promise<void>
  removed(claim: Claim, stage: ConditionType): Promise<void>
  /** Everything but the zone is removed. */
  tornDown(): Promise<void>
  /** Nothing of the domain is left anywhere. */
  gone(): Promise<void>
}
