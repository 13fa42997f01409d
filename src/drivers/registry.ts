/** The drivers for outside services, by their names in the accounts file. */

import type { DriverKind } from './kind.ts'
import type { MailboxDriver } from './mailbox/contract.ts'
import { mailcow } from './mailbox/mailcow/driver.ts'
import { azure } from './sender/azure/driver.ts'
import type { SenderDriver } from './sender/contract.ts'
import { cloudflare } from './zone/cloudflare/driver.ts'
import type { ZoneDriver } from './zone/contract.ts'
import { powerdns } from './zone/powerdns/driver.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kind has settings of its own, which it parses itself
type Any = any

export const ZONE_HOSTS: Record<string, DriverKind<ZoneDriver, Any>> = { powerdns, cloudflare }
export const SENDERS: Record<string, DriverKind<SenderDriver, Any>> = { azure }
export const MAILBOX_SERVICES: Record<string, DriverKind<MailboxDriver, Any>> = { mailcow }
