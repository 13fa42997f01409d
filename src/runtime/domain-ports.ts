/** Builds the ports of a domain from the drivers and stores of its world. */
import type { Ports } from '#domains/ports.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import { dovecotMailboxDriver, type MailFiles } from '#drivers/mailbox/dovecot/driver.ts'
import { embeddedMailboxDriver } from '#drivers/mailbox/embedded/driver.ts'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import { embeddedSenderDriver } from '#drivers/sender/embedded/driver.ts'
import { unconfigured } from '#drivers/unconfigured.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import { embeddedZoneDriver } from '#drivers/zone/embedded/driver.ts'
import type { DnsView } from '#resolver/view.ts'
import type { StoreContext } from '#store/context.ts'
import { custodyStore } from '#store/custody.ts'
import { customerRecordStore } from '#store/customer-records.ts'
import type { DomainAccounts } from '#store/domain-passes.ts'
import { inboxStore } from '#store/inboxes.ts'
import { mailboxStore } from '#store/mail-domains.ts'
import { DOVECOT } from '#store/mailbox-copies.ts'
import { probeStore } from '#store/probes.ts'
import type { SendingLimits } from '#store/reached-limits.ts'
import { ownedRecordStore } from '#store/records.ts'
import { redirectStore } from '#store/redirects.ts'
import { senderStore } from '#store/sender-domains.ts'
import { zoneStore } from '#store/zones.ts'
import type { World } from '../world.ts'
import type { Accounts, ZoneAccount } from './accounts.ts'
import { recordedSender } from './recorded-sender.ts'

/** Wraps drivers of the sandbox so that their calls fail on demand; live drivers stay as they are. */
export type Misbehaviour = {
  zone(driver: ZoneDriver): ZoneDriver
  sender(driver: SenderDriver): SenderDriver
  mailbox(driver: MailboxDriver): MailboxDriver
}

export const NO_FAULTS: Misbehaviour = {
  zone: (driver) => driver,
  sender: (driver) => driver,
  mailbox: (driver) => driver,
}

export type PortsParts = {
  store: StoreContext
  world: World
  accounts: Accounts
  /** The files of Dovecot, in the process that runs it; only that makes passes. */
  mailFiles: MailFiles | undefined
  hasDovecot: boolean
  misbehaviour: Misbehaviour
  receivesMail: boolean
  /** Addresses of the redirect servers; none: no redirects. */
  redirectAddresses: readonly string[]
  /** How many days a DKIM key of the embedded sender signs; 0: no limit. */
  dkimRotationDays: number
  sendingLimits: SendingLimits
}

/** The ports of a domain for one pass, by its accounts. */
export function portsBuilder(parts: PortsParts): (chosen: DomainAccounts) => Ports {
  const { store, world, accounts, misbehaviour } = parts
  const { pool } = world.platform
  const all = [...pool, ...[...accounts.zones.values()].flatMap((zone) => zone.pool ?? [])]
  return (chosen) => {
    const view = world.view()
    const at = drivers(parts, view)
    const { driver, pool: own = [] } = at.zone(chosen.zone)
    return {
      ...view,
      records: ownedRecordStore(store),
      customers: customerRecordStore(store),
      probes: probeStore(store),
      inboxes: inboxStore(store),
      redirects: redirectStore(store, parts.redirectAddresses),
      clock: world.clock,
      soonestLookMs: world.soonestLookMs,
      probeHost: parts.receivesMail ? world.platform.probeHost : undefined,
      mailHost: world.platform.mailHost,
      zone: misbehaviour.zone(driver),
      sender: misbehaviour.sender(at.sender(chosen.sender)),
      mailbox: misbehaviour.mailbox(at.mailbox(chosen.mailbox)),
      custody: custodyStore(store, world.name, { own, all }),
      zoneHost: (account) => at.zone(account).driver,
    }
  }
}

/** By account. Embedded drivers are made for the pass, and use the pass's view of the public DNS. */
function drivers(parts: PortsParts, { publicDns }: DnsView) {
  const {
    store,
    world,
    accounts,
    dkimRotationDays: rotationDays,
    sendingLimits,
    receivesMail,
    mailFiles,
    hasDovecot,
  } = parts
  const { mailHost, pool } = world.platform
  const senders = senderStore(store, world.name, sendingLimits)
  const sender = embeddedSenderDriver({
    store: senders,
    publicDns,
    mailHost,
    receivesMail,
    rotationDays,
  })
  const zone = { driver: embeddedZoneDriver(zoneStore(store, world.name)), pool }
  const mailbox = embeddedMailboxDriver(mailboxStore(store, world.name), mailHost)
  const shown = mailFiles ? dovecotMailboxDriver(mailbox, mailFiles) : mailbox
  const ownMailboxes = new Map([
    ['embedded', mailbox],
    ...(hasDovecot ? [[DOVECOT, shown] as const] : []),
  ])
  const isOwn = (account: string) => account === 'embedded'
  const outside = (account: string): SenderDriver => {
    const found = accounts.senders.get(account)
    if (!found) return unconfigured(account).sender
    return recordedSender(found, store, { world: world.name, account, limits: sendingLimits })
  }
  return {
    zone: (account: string): ZoneAccount =>
      (isOwn(account) ? zone : accounts.zones.get(account)) ?? {
        driver: unconfigured(account).zone,
        pool: [],
      },
    sender: (account: string): SenderDriver => (isOwn(account) ? sender : outside(account)),
    mailbox: (account: string): MailboxDriver =>
      ownMailboxes.get(account) ?? accounts.mailboxes.get(account) ?? unconfigured(account).mailbox,
  }
}
