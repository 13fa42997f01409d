/** Tags on domains and mailboxes. An edit only adds tags; omitted ones stay. */
import type { Entry, Say } from './entries.ts'
import { isEmpty, list, text } from './php.ts'

const LIMIT = 25

/** The old and the new tags, and a warning where old ones were omitted. */
export function withTags(has: readonly string[], sent: unknown, say: Say): [string[], Entry[]] {
  const tags = list(sent)
  const warning = tags.some((tag, index) => index > LIMIT && !isEmpty(tag))
  const taken = tags.slice(0, LIMIT + 1).filter((tag) => !isEmpty(tag))
  return [
    [...new Set([...has, ...taken.map(text)])].toSorted(),
    warning ? [say('warning', ['tag_limit_exceeded', `limit ${LIMIT}`])] : [],
  ]
}
