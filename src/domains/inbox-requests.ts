/** Which requested inboxes a domain takes. Pure. */

/** An inbox of the domain at one of the requested localparts. */
export type TakenLocalpart = { localpart: string; isBeingRemoved: boolean }

export type InboxAnswer =
  | { is: 'accepted' }
  | { is: 'exists' | 'being_removed' }
  | { is: 'full'; current: number; max: number }

/**
 * An answer for each requested localpart, in order. A localpart is free again once the mailbox of its former
 * inbox is removed: the next owner must not find that mail.
 */
export function answerRequests(
  localparts: readonly string[],
  taken: readonly TakenLocalpart[],
  { current, max }: { current: number; max: number },
): InboxAnswer[] {
  const inUse = new Map(taken.map((each) => [each.localpart, each]))
  let count = current
  return localparts.map((localpart) => {
    const other = inUse.get(localpart)
    if (other) return { is: other.isBeingRemoved ? 'being_removed' : 'exists' }
    if (count >= max) return { is: 'full', current: count, max }
    count += 1
    inUse.set(localpart, { localpart, isBeingRemoved: false })
    return { is: 'accepted' }
  })
}
