/** Waits that are not for a stage's own work, by their reasons. Pure. */

/** A plan stops and asks whether it may drop much of a zone. */
export const PLAN_DROPS_MUCH = 'plan_drops_much'

/** For a word of the customer's: our own records stand, or nothing is broken while the question is open. */
export const WAITS_FOR_WORD: readonly string[] = [
  'mx_in_use',
  'alias_in_the_way',
  'hidden_by_delegation',
  'rrset_not_served',
  'spf_invalid',
  'spf_too_long',
  'dmarc_invalid',
  PLAN_DROPS_MUCH,
]

/** What the name serves elsewhere is being found; nothing is promised before it is known. */
export const IMPORTING = 'importing'

/** For somebody else, be it another claim or the zone above: not ours to be quick about. */
export const WAITS_FOR_OTHERS: readonly string[] = [
  'name_in_use',
  'handing_over',
  'shadowed',
  'inside_your_zone',
  ...WAITS_FOR_WORD,
]
