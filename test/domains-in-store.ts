/** Domains that send and receive, as rows of a store: for what is tested or measured without the parts that look after them. */
import { randomUUID } from 'node:crypto'
import { ensureWorkspace, FIRST_WORKSPACE } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { mailboxStore } from '#store/mail-domains.ts'
import { senderStore } from '#store/sender-domains.ts'

export const NO_LIMITS = { workspace: 0, installation: 0 }

export type Claim = {
  claimId: string
  domainId: string
  name: string
  nameservers: readonly string[]
}

/** As a pass leaves it: delegated, seen a moment ago, registered with a key. */
export async function newDomain(store: StoreContext, name: string): Promise<Claim> {
  const { db } = store
  const [domainId, claimId] = [randomUUID(), randomUUID()]
  await ensureWorkspace(store, FIRST_WORKSPACE, 'a workspace')
  const tenant = { workspace_id: FIRST_WORKSPACE, world: 'live' as const, name }
  const drivers = { zone_driver: 'embedded', sender_driver: 'embedded', mailbox_driver: 'embedded' }
  await db
    .insertInto('domains')
    .values({ id: domainId, ...tenant, ...drivers })
    .execute()
  await db
    .insertInto('claims')
    .values({ id: claimId, domain_id: domainId, ...tenant })
    .execute()
  await db.insertInto('holders').values({ world: 'live', name, claim_id: claimId }).execute()
  const met = { verdict: 'met', since: new Date(), last_look_at: new Date() }
  for (const type of ['delegated', 'sender_registered'])
    await db
      .insertInto('conditions')
      .values({ domain_id: domainId, type, ...met })
      .execute()
  const claim = { claimId, domainId, name, nameservers: [] }
  await senderStore(store, 'live', NO_LIMITS).register(claim)
  return claim
}

/** An inbox of the domain, with the mailbox behind it. */
export async function newInbox(
  store: StoreContext,
  claim: Claim,
  localpart: string,
  dailyLimit = 1000,
): Promise<string> {
  const id = randomUUID()
  const owner = {
    workspace_id: FIRST_WORKSPACE,
    world: 'live' as const,
    domain_id: claim.domainId,
  }
  const named = { localpart, address: `${localpart}@${claim.name}`, display_name: localpart }
  await store.db
    .insertInto('inboxes')
    .values({ id, ...owner, ...named, daily_limit: dailyLimit })
    .execute()
  const mailboxes = mailboxStore(store, 'live')
  await mailboxes.createDomain(claim)
  await mailboxes.createMailbox(claim.claimId, localpart)
  return id
}
