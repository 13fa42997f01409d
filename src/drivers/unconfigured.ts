/** Stands for an account that a domain was placed at and that is not in the accounts file (any more). */
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
      // So that nothing is drawn for it.
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
