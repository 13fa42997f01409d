import type { ApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { findInbox, type InboxRow } from '#store/inboxes.ts'
import { Problem } from '../http/problems.ts'

/** The caller's inbox; a foreign id and an unknown one get the same answer. */
export async function loadInbox(store: StoreContext, key: ApiKey, id: string): Promise<InboxRow> {
  return presentInbox(await findInbox(store, key, id))
}

export function presentInbox(inbox: InboxRow | undefined): InboxRow {
  if (!inbox) throw new Problem('sender_account_not_found')
  return inbox
}
