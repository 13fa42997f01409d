/** DKIM keys: a stock of unused pairs, and the keys of registered domains. */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { Selectable } from 'kysely'
import type { KeptKey, KeyStore } from '#drivers/sender/embedded/rotation.ts'
import type { NewEvent } from '#events/catalogue.ts'
import type { DkimKey } from '#mail/outgoing/key.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Queryable } from './database.ts'
import { wakeDomain } from './due-tables.ts'
import { insertDomainEvent } from './events.ts'
import { PassCache } from './pass-cache.ts'
import type { Tables } from './tables.ts'

/** An RSA-2048 pair takes about 130 ms to make, so a few are made ahead of need. */
const KEYS_AHEAD = 4
const generate = promisify(generateKeyPair)

export const sealLabel = (claimId: string): string => `dkim:${claimId}`

/** The keys of registrations, for one pass. */
export function keyStore(
  context: StoreContext,
  known = new PassCache<readonly KeptKey[]>(),
): KeyStore {
  const { begin, sign, revoke, drop } = keyChanges(context)
  return {
    list: (claimId) => known.get(claimId, () => listKeys(context.db, claimId)),
    begin: (claim, ...rest) => known.writing(claim.claimId, () => begin(claim, ...rest)),
    sign: (claimId, ...rest) => known.writing(claimId, () => sign(claimId, ...rest)),
    revoke: (claimId, ...rest) => known.writing(claimId, () => revoke(claimId, ...rest)),
    drop: (claimId, ...rest) => known.writing(claimId, () => drop(claimId, ...rest)),
  }
}

function keyChanges(context: StoreContext): Omit<KeyStore, 'list'> {
  const { db, doorbell } = context
  return {
    async begin(claim, occasion, at) {
      const { claimId } = claim
      if ((await listKeys(db, claimId)).some(({ state }) => state === 'pending')) return 'under_way'
      const pair = await takeKeyPair(context)
      const result = await db.transaction().execute(async (tx) => {
        if (!(await holdRegistration(tx, claimId))) return 'not_registered'
        const keys = await listKeys(tx, claimId)
        if (keys.some(({ state }) => state === 'pending')) return 'under_way'
        const key = { state: 'pending' as const, since: at, occasion }
        const selector = await addKey(context, tx, claim, pair, key)
        const message = `A new DKIM key, ${selector}, is being published.`
        await recordKeyChange(tx, claimId, {
          type: 'dkim.begun',
          message,
          data: { selector, occasion },
        })
        return 'begun'
      })
      if (result === 'begun') doorbell.ring(TOPICS.domainsDue)
      return result
    },
    async sign(claimId, selector, at) {
      await db.transaction().execute(async (tx) => {
        if (!(await holdRegistration(tx, claimId))) return
        const keys = await listKeys(tx, claimId)
        if (!keys.some((key) => key.selector === selector && key.state === 'pending')) return
        await tx
          .updateTable('dkim_keys')
          .set({ state: 'retiring', since: at, private_key: null })
          .where('claim_id', '=', claimId)
          .where('state', '=', 'signing')
          .execute()
        await tx
          .updateTable('dkim_keys')
          .set({ state: 'signing', since: at })
          .where('claim_id', '=', claimId)
          .where('selector', '=', selector)
          .execute()
        const message = `Mail is signed with the DKIM key ${selector} from now on.`
        await recordKeyChange(tx, claimId, { type: 'dkim.rotated', message, data: { selector } })
      })
    },
    async revoke(claimId, selector, at) {
      await db
        .updateTable('dkim_keys')
        .set({ state: 'revoked', since: at })
        .where('claim_id', '=', claimId)
        .where('selector', '=', selector)
        .where('state', '=', 'retiring')
        .execute()
    },
    async drop(claimId, selector) {
      await db
        .deleteFrom('dkim_keys')
        .where('claim_id', '=', claimId)
        .where('selector', '=', selector)
        .where('state', '=', 'revoked')
        .execute()
    },
  }
}

export async function listKeys(db: Queryable, claimId: string): Promise<KeptKey[]> {
  const rows = await db
    .selectFrom('dkim_keys')
    .select(['selector', 'public_key', 'state', 'since', 'occasion'])
    .where('claim_id', '=', claimId)
    .orderBy('since')
    .orderBy('selector')
    .execute()
  return rows.map(({ public_key, ...key }) => ({ ...key, publicKey: public_key }))
}

/** The key that signs, with its secret. */
export async function findSigningKey(
  { db, vault }: StoreContext,
  claimId: string,
): Promise<DkimKey | undefined> {
  const row = await db
    .selectFrom('dkim_keys')
    .select(['selector', 'private_key', 'public_key'])
    .where('claim_id', '=', claimId)
    .where('state', '=', 'signing')
    .executeTakeFirst()
  if (!row?.private_key) return undefined
  const privateKey = vault.open(row.private_key, sealLabel(claimId))
  return { selector: row.selector, privateKey, publicKey: row.public_key }
}

/** Locks the registration, so that changes of its keys run one after another. */
async function holdRegistration(tx: Queryable, claimId: string): Promise<boolean> {
  const held = await tx
    .selectFrom('sender_domains')
    .select('claim_id')
    .where('claim_id', '=', claimId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  return held !== undefined
}

type NewKey = Pick<Selectable<Tables['dkim_keys']>, 'state' | 'since' | 'occasion'>

/** Stores a pair under a selector that is new at the name, and returns the selector. */
export async function addKey(
  { vault }: StoreContext,
  tx: Queryable,
  { claimId, name }: { claimId: string; name: string },
  pair: KeyPair,
  key: NewKey,
): Promise<string> {
  const selector = await drawSelector(tx, name)
  const private_key = vault.seal(pair.privateKey, sealLabel(claimId))
  await tx
    .insertInto('dkim_keys')
    .values({ claim_id: claimId, selector, private_key, public_key: pair.publicKey, ...key })
    .execute()
  return selector
}

const DRAWS = 10

/** Draws one of 2^32 selectors that no claim ever used at the name. */
async function drawSelector(tx: Queryable, name: string): Promise<string> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const drawn = await tx
      .insertInto('dkim_selectors')
      .values({ name, selector: `ms${newId().slice(-8)}` })
      .onConflict((c) => c.doNothing())
      .returning('selector')
      .executeTakeFirst()
    if (drawn) return drawn.selector
  }
  throw new Error(`no selector for ${name} that was never used`)
}

/** Writes an event of the claim's domain and wakes it: its records have changed. */
async function recordKeyChange(tx: Queryable, claimId: string, event: NewEvent): Promise<void> {
  const claim = await tx
    .selectFrom('claims')
    .select('domain_id')
    .where('id', '=', claimId)
    .executeTakeFirst()
  if (!claim?.domain_id) return
  await insertDomainEvent(tx, claim.domain_id, event)
  await wakeDomain(tx, claim.domain_id)
}

export type KeyPair = Omit<DkimKey, 'selector'>

/** Takes a pair from the stock, or makes one if it is empty. */
export async function takeKeyPair({ db, vault }: StoreContext): Promise<KeyPair> {
  const taken = await db
    .deleteFrom('dkim_keypairs')
    .where('id', '=', (from) =>
      from.selectFrom('dkim_keypairs').select('id').limit(1).forUpdate().skipLocked(),
    )
    .returningAll()
    .executeTakeFirst()
  if (taken === undefined) return makeKeyPair()
  return {
    publicKey: taken.public_key,
    privateKey: vault.open(taken.private_key, `dkim:${taken.id}`),
  }
}

/** Refills the stock of key pairs; called regularly, safe to repeat. */
export async function stockKeyPairs(
  { db, vault }: StoreContext,
  signal: AbortSignal,
): Promise<void> {
  const { count } = await db
    .selectFrom('dkim_keypairs')
    .select((e) => e.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  for (let have = Number(count); have < KEYS_AHEAD && !signal.aborted; have++) {
    await keepKeyPair({ db, vault }, await makeKeyPair())
  }
}

/** Puts a key pair into the stock. */
export async function keepKeyPair(
  { db, vault }: Pick<StoreContext, 'db' | 'vault'>,
  { privateKey, publicKey }: KeyPair,
): Promise<void> {
  const id = newId()
  await db
    .insertInto('dkim_keypairs')
    .values({ id, private_key: vault.seal(privateKey, `dkim:${id}`), public_key: publicKey })
    .execute()
}

export async function makeKeyPair(): Promise<KeyPair> {
  // RFC 8301 section 3.2: at least 1024 bits, and 2048 are recommended.
  const { privateKey, publicKey } = await generate('rsa', { modulusLength: 2048 })
  return {
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  }
}
