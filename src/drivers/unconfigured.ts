/** Stands for a domain's account that is missing from the accounts file, or was removed from it. */
import { DriverError } from './errors.ts'
import type { MailboxDriver } from './mailbox/contract.ts'
import type { SenderDriver } from './sender/contract.ts'
import type { ZoneDriver } from './zone/contract.ts'

export function unconfigured(account: string): {
  zone: ZoneDriver
  sender: SenderDriver
  mailbox: MailboxDriver
} {
  const absent = async (): Promise<never> => {
    throw new DriverError('unavailable', `The account ${account} is not configured here.`)
  }
  return {
    zone: {
      // `host`, so that no pair is drawn for it.
      naming: 'host',
      oneZonePerName: false,
      ensureZone: absent,
      readZone: absent,
      changeZone: absent,
      removeZone: absent,
      objectionTo: () => undefined,
    },
    sender: {
      promisesSpf: false,
      standingAuthor: 'postmaster',
      ensureDomain: absent,
      verifyDomain: absent,
      removeDomain: absent,
      send: absent,
    },
    mailbox: {
      ensureDomain: absent,
      removeDomain: absent,
      ensureMailbox: absent,
      removeMailbox: absent,
      listMailboxes: absent,
    },
  }
}
