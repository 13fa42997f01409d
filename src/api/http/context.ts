import type { FastifyRequest } from 'fastify'
import type { SenderDriver, SenderEvents } from '#drivers/sender/contract.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import type { NameRules } from '#names/domain-name.ts'
import type { ClaimLimits } from '#store/add-domain.ts'
import type { ApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import type { Placed } from '#store/domain-passes.ts'
import type { DomainRow } from '#store/domains.ts'
import type { Candidates } from '#store/placing.ts'
import type { RateLimits } from '#store/request-counts.ts'
import type { WorldName } from '#store/tables.ts'
import type { Keys } from './auth.ts'
import type { Scope } from './scopes.ts'

/** What the routes work with. */
export type ApiContext = {
  store: StoreContext
  /** Checks the request's key for a scope; throws the 401, 403 or 503 it deserves. */
  authorize(request: FastifyRequest, scope?: Scope): Promise<ApiKey>
  /** The request's key, whatever it may do; undefined without a valid one. */
  identify: Keys['identify']
  /** To be called when a key was revoked, so that it is refused from now on. */
  forgetKeys(): void
  /** How often a key may ask, and a workspace. */
  rates: RateLimits
  /** How many keys that still work a workspace may have in a world. */
  maxKeys: number
  nameRules(world: WorldName): NameRules
  /** Whether anything would answer for a redirect of the domain. */
  hasRedirects(domain: DomainRow): boolean
  /** What keeps one name from using the pool of pairs up. */
  limits: ClaimLimits
  /** The accounts a domain of this world may be placed at, and those that new ones are placed at unasked. */
  accounts(world: WorldName): Candidates
  defaults(world: WorldName): Candidates
  sender(domain: DomainRow): SenderDriver
  zoneHost(world: WorldName, placed: Placed): ZoneDriver
  /** What a sender account may post to us; undefined for an unknown one, and one that posts nothing. */
  senderEvents(account: string): SenderEvents | undefined
  /** How long the mail of a removed domain is kept, in days. */
  archivedMailDays: number
  /** How long a call may wait for the worker, in milliseconds. */
  waitMs: number
  now(): Date
}

export const API_PREFIX = '/api/public/v1'
