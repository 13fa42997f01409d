/** Reasons to wait for others, not for a stage's own work. Pure. */

/** A plan stops and asks whether it may drop much of a zone. */
export const PLAN_DROPS_MUCH = 'plan_drops_much'

/** Waits for the customer's decision: meanwhile our records are published, or nothing is broken. */
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

/** The import is under way; the nameservers are not shown before it is done. */
export const IMPORTING = 'importing'

/** Waits for another claim, the zone above or the customer: we cannot speed them up. */
export const WAITS_FOR_OTHERS: readonly string[] = [
  'name_in_use',
  'handing_over',
  'shadowed',
  'inside_your_zone',
  ...WAITS_FOR_WORD,
]
