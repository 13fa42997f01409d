/** The drivers and books of a world, joined into what the life of a domain needs. */
import type { Ports } from '#domains/ports.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import { embeddedMailboxDriver } from '#drivers/mailbox/embedded/driver.ts'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import { embeddedSenderDriver } from '#drivers/sender/embedded/driver.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import { embeddedZoneDriver } from '#drivers/zone/embedded/driver.ts'
import type { StoreContext } from '#store/context.ts'
import { custodyStore } from '#store/custody.ts'
import { inboxBook } from '#store/inboxes.ts'
import { mailboxStore } from '#store/mail-domains.ts'
import { probeBook } from '#store/probes.ts'
import { recordBook } from '#store/records.ts'
import { senderStore } from '#store/sender-domains.ts'
import { zoneStore } from '#store/zones.ts'
import type { World } from '../world.ts'

/** Wraps drivers so that they misbehave on demand; live drivers are left as they are. */
export type Misbehaviour = {
  zone(driver: ZoneDriver): ZoneDriver
  sender(driver: SenderDriver): SenderDriver
  mailbox(driver: MailboxDriver): MailboxDriver
}

export const MISBEHAVES_NOT: Misbehaviour = {
  zone: (driver) => driver,
  sender: (driver) => driver,
  mailbox: (driver) => driver,
}

export function buildPorts(store: StoreContext, world: World, misbehaviour: Misbehaviour): Ports {
  const { mailHost, probeHost, pool } = world.platform
  const sender = embeddedSenderDriver({
    store: senderStore(store, world.name),
    publicDns: world.publicDns,
    mailHost,
  })
  return {
    zone: misbehaviour.zone(embeddedZoneDriver(zoneStore(store, world.name))),
    sender: misbehaviour.sender(sender),
    mailbox: misbehaviour.mailbox(embeddedMailboxDriver(mailboxStore(store, world.name), mailHost)),
    observer: world.observer,
    publicDns: world.publicDns,
    custody: custodyStore(store, world.name, pool),
    records: recordBook(store),
    probes: probeBook(store),
    inboxes: inboxBook(store),
    clock: world.clock,
    probeHost,
  }
}
