import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { SenderStore } from '#drivers/sender/embedded/driver.ts'
import type { DkimKey } from '#drivers/sender/embedded/key.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { WorldName } from './tables.ts'

/** An RSA-2048 pair takes about 130 ms to make, so a few are made ahead of need. */
const KEYS_AHEAD = 4
const generate = promisify(generateKeyPair)

/** Registrations, keys and the queue behind the embedded sender. */
export function senderStore(context: StoreContext, world: WorldName): SenderStore {
  const { db, vault, doorbell } = context
  return {
    async register(claim) {
      const known = await this.find(claim.claimId)
      if (known) return known
      const key = await takeKeyPair(context)
      // Selectors are random and so never used twice, not even by a name that comes back.
      await db
        .insertInto('sender_domains')
        .values({
          claim_id: claim.claimId,
          name: claim.name,
          selector: `ms${newId().slice(-8)}`,
          private_key: vault.seal(key.privateKey, `dkim:${claim.claimId}`),
          public_key: key.publicKey,
        })
        .onConflict((c) => c.doNothing())
        .execute()
      return (await this.find(claim.claimId))!
    },
    async find(claimId) {
      const row = await db
        .selectFrom('sender_domains')
        .selectAll()
        .where('claim_id', '=', claimId)
        .executeTakeFirst()
      return (
        row && {
          selector: row.selector,
          privateKey: vault.open(row.private_key, `dkim:${claimId}`),
          publicKey: row.public_key,
        }
      )
    },
    async remove(claimId) {
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('sender_domains').where('claim_id', '=', claimId).execute()
        await tx.deleteFrom('deliveries').where('claim_id', '=', claimId).execute()
      })
    },
    async enqueue({ claimId, envelopeSender, recipient, raw }) {
      const isRegistered = await db.transaction().execute(async (tx) => {
        // Held, so that what is queued is also what a removal takes away.
        const domain = await tx
          .selectFrom('sender_domains')
          .select('claim_id')
          .where('claim_id', '=', claimId)
          .forKeyShare()
          .executeTakeFirst()
        if (domain === undefined) return false
        const message = { envelope_sender: envelopeSender, recipient, raw }
        await tx
          .insertInto('deliveries')
          .values({ id: newId(), claim_id: claimId, world, ...message })
          .execute()
        return true
      })
      if (isRegistered) doorbell.ring(TOPICS.deliveriesDue)
      return isRegistered
    },
  }
}

type KeyPair = Omit<DkimKey, 'selector'>

/** One from the stock, or a fresh one while the stock is empty. */
async function takeKeyPair({ db, vault }: StoreContext): Promise<KeyPair> {
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

/** Fills the stock of key pairs up; called now and then, and harmless to repeat. */
export async function stockKeyPairs(
  { db, vault }: StoreContext,
  signal: AbortSignal,
): Promise<void> {
  const { count } = await db
    .selectFrom('dkim_keypairs')
    .select((e) => e.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  for (let have = Number(count); have < KEYS_AHEAD && !signal.aborted; have++) {
    const { privateKey, publicKey } = await makeKeyPair()
    const id = newId()
    await db
      .insertInto('dkim_keypairs')
      .values({ id, private_key: vault.seal(privateKey, `dkim:${id}`), public_key: publicKey })
      .execute()
  }
}

async function makeKeyPair(): Promise<KeyPair> {
  // RFC 8301 section 3.2: at least 1024 bits, and 2048 are recommended.
  const { privateKey, publicKey } = await generate('rsa', { modulusLength: 2048 })
  return {
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  }
}
