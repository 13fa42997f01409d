import type { FastifyRequest } from 'fastify'
import type { ClaimLimits } from '#domains/claims.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import type { SenderDriver, SenderEvents } from '#drivers/sender/contract.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import type { LogInResult } from '#mail/elsewhere/log-in.ts'
import type { SmtpAccount } from '#mail/elsewhere/servers.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import type { NameRules } from '#names/domain-name.ts'
import type { ApiKey } from '#store/api-keys.ts'
import type { AccountCandidates } from '#store/choose-accounts.ts'
import type { StoreContext } from '#store/context.ts'
import type { DomainAccounts } from '#store/domain-passes.ts'
import type { DomainRow } from '#store/domains.ts'
import type { RateLimits } from '#store/request-counts.ts'
import type { WorldName } from '#store/tables.ts'
import type { Keys } from './auth.ts'
import type { Scope } from './scopes.ts'

export type LogInServer = { host: string; port: number; tls: 'implicit' | 'starttls' }
export type LogInServers = { imap: LogInServer | null; smtp: LogInServer }

/** What the routes work with. */
export type ApiContext = {
  store: StoreContext
  /** Checks the request's key for a scope; throws 401, 403 or 503. */
  authorize(request: FastifyRequest, scope?: Scope): Promise<ApiKey>
  /** The request's key, whatever its scopes; undefined without a valid one. */
  identify: Keys['identify']
  /** To be called after a revocation, so that the key is refused at once. */
  forgetKeys(): void
  /** Rate limits of a key and a workspace. */
  rates: RateLimits
  /** How many working keys a workspace may have in a world. */
  maxKeys: number
  nameRules(world: WorldName): NameRules
  /** Whether a server answers for a redirect of the domain. */
  hasRedirects(domain: DomainRow): boolean
  /** Keeps one name from using up the pool of pairs. */
  limits: ClaimLimits
  /** The accounts that domains of this world may use, and the defaults for new ones. */
  accounts(world: WorldName): AccountCandidates
  defaults(world: WorldName): AccountCandidates
  sender(domain: DomainRow): SenderDriver
  mailbox(domain: DomainRow): MailboxDriver
  zoneHost(world: WorldName, accounts: DomainAccounts): ZoneDriver
  /** What a sender account may post to us; undefined if unknown, or if it posts nothing. */
  senderEvents(account: string): SenderEvents | undefined
  /** Where mail programs log in to inboxes at that mailbox service; undefined where they cannot. */
  logInServers(world: WorldName, mailbox: string): LogInServers | undefined
  /** Where recipients of mail reach the API, without a path; undefined if the operator did not say. */
  publicUrl: string | undefined
  /** Read and write messages outside the event loop. */
  mail: Pick<MailWorkers, 'read' | 'readAttachment' | 'compose'>
  /** Logs in to the servers of an inbox at another provider, as far as that works. */
  tryLogIns(world: WorldName, account: SmtpAccount): Promise<readonly LogInResult[]>
  /** How long the mail of a removed domain is kept, in days. */
  archivedMailDays: number
  /** How long a call may wait for the worker, in milliseconds. */
  waitMs: number
  now(): Date
}

export const API_PREFIX = '/api/public/v1'
