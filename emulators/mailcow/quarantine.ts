/** Quarantined mail. The emulator delivers none, so every item is absent. */
import type { Write } from './entries.ts'
import { escaped, list } from './php.ts'

const editItem: Write = (_mailcow, data, say) =>
  list(data.id).map(() => say('danger', 'access_denied'))

/** Reports success for an absent item. */
const deleteItem: Write = (_mailcow, data, say) =>
  list(data.id).map((id) => say('success', ['item_deleted', escaped(id)]))

export const QUARANTINE = { edit: editItem, delete: deleteItem }
