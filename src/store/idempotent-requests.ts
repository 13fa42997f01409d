/**
 * Answers to requests with an Idempotency-Key, kept for a day; sealed, as some hold a secret. A request
 * claims its name before it is handled. The claim has a lease, so that a killed process blocks the name no
 * longer than that.
 */
import { sql } from 'kysely'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'

export type NamedRequest = {
  keyId: string
  /** The value of Idempotency-Key. */
  name: string
  /** A keyed hash of the request; tells a different request under the same name. */
  fingerprint: Buffer
}

export type Claim = { keyId: string; name: string; claimId: string }
export type KeptAnswer = { status: number; contentType: string; body: string }

export type ClaimResult =
  | { is: 'claimed'; claim: Claim }
  | { is: 'answered'; answer: KeptAnswer }
  | { is: 'in_progress' }
  | { is: 'mismatch' }

/** Longer than any request takes. */
const LEASE_S = 60
const KEPT_H = 24
/** Tries, as the row may vanish between our claim and our read. */
const ATTEMPTS = 3
const DROPPED_AT_ONCE = 5000
const DROPS = 200

/** Claims the name for this request, or returns what is stored. Of many at once, one gets the claim. */
export async function claimRequest(
  store: StoreContext,
  request: NamedRequest,
): Promise<ClaimResult> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const claim = await tryToClaim(store, request)
    if (claim) return { is: 'claimed', claim }
    const standing = await lookUp(store, request)
    if (standing) return standing
  }
  return { is: 'in_progress' }
}

/** An expired claim is free for the same request only: the first may have been carried out. */
async function tryToClaim(
  { db }: StoreContext,
  { keyId, name, fingerprint }: NamedRequest,
): Promise<Claim | undefined> {
  const claimId = newId()
  const claimed = await sql`
    insert into idempotent_requests as r (key_id, name, fingerprint, claim, lease_until)
    values (${keyId}, ${name}, ${fingerprint}, ${claimId}, now() + ${LEASE_S} * interval '1 second')
    on conflict (key_id, name) do update
      set fingerprint = excluded.fingerprint, claim = excluded.claim, status = null,
          lease_until = excluded.lease_until, answer = null, created_at = now()
    where r.created_at <= now() - ${KEPT_H} * interval '1 hour'
       or (r.answer is null and r.lease_until <= now() and r.fingerprint = excluded.fingerprint)
    returning claim`.execute(db)
  return claimed.rows.length > 0 ? { keyId, name, claimId } : undefined
}

async function lookUp(
  { db, vault }: StoreContext,
  { keyId, name, fingerprint }: NamedRequest,
): Promise<ClaimResult | undefined> {
  const row = await db
    .selectFrom('idempotent_requests')
    .select(['fingerprint', 'status', 'content_type', 'answer'])
    .where('key_id', '=', keyId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row) return undefined
  if (!row.fingerprint.equals(fingerprint)) return { is: 'mismatch' }
  if (row.answer === null || row.status === null) return { is: 'in_progress' }
  const body = vault.open(row.answer, labelOf(keyId, name))
  return { is: 'answered', answer: { status: row.status, contentType: row.content_type!, body } }
}

/** Stores the answer for repeats of the request, unless the claim was lost. */
export async function keepAnswer(
  { db, vault }: StoreContext,
  { keyId, name, claimId }: Claim,
  { status, contentType, body }: KeptAnswer,
): Promise<void> {
  const answer = vault.seal(body, labelOf(keyId, name))
  await db
    .updateTable('idempotent_requests')
    .set({ status, content_type: contentType, answer })
    .where('key_id', '=', keyId)
    .where('name', '=', name)
    .where('claim', '=', claimId)
    .execute()
}

/** Releases the name: the request may be tried again at once. */
export async function dropClaim(
  { db }: StoreContext,
  { keyId, name, claimId }: Claim,
): Promise<void> {
  await db
    .deleteFrom('idempotent_requests')
    .where('key_id', '=', keyId)
    .where('name', '=', name)
    .where('claim', '=', claimId)
    .execute()
}

/** Deletes answers older than a day, oldest first, in batches, without reading the whole table. */
export async function dropOldAnswers({ db }: StoreContext): Promise<void> {
  for (let drop = 0; drop < DROPS; drop += 1) {
    const dropped = await sql`
      delete from idempotent_requests where ctid = any (array(
        select ctid from idempotent_requests
         where created_at <= now() - ${KEPT_H} * interval '1 hour'
         order by created_at limit ${DROPPED_AT_ONCE}))
      and created_at <= now() - ${KEPT_H} * interval '1 hour'`.execute(db)
    if (Number(dropped.numAffectedRows ?? 0) < DROPPED_AT_ONCE) return
  }
}

const labelOf = (keyId: string, name: string): string => `idempotency:${keyId}:${name}`
