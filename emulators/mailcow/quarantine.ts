/** Held mail. No mail is delivered here, so there never is any: everything is about what is absent. */
import type { Write } from './entries.ts'
import { escaped, list } from './php.ts'

const editItem: Write = (_mailcow, data, say) =>
  list(data.id).map(() => say('danger', 'access_denied'))

/** Says that it deleted what was never there. */
const deleteItem: Write = (_mailcow, data, say) =>
  list(data.id).map((id) => say('success', ['item_deleted', escaped(id)]))

export const QUARANTINE = { edit: editItem, delete: deleteItem }
