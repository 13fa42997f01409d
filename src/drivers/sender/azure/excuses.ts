import type { Excuses } from '../conformance.ts'

const ONE_A_NAME =
  'An email service holds one domain of a name; core hands it over before it is made again.'

export const excuses: Excuses = {
  'two claims on one name get keys or codes of their own': ONE_A_NAME,
  'verifyDomain waits while only another claim’s records are published': ONE_A_NAME,
  'verifyDomain sees that records are gone again':
    'Azure does not look again once it has verified; core looks at the records itself in every pass.',
  'removing one claim’s domain keeps the other’s': ONE_A_NAME,
}

/** What an account at the default limits cannot fulfil. */
export const excusesOfMost: Excuses = {
  'identities are granted and taken away one by one, and listed':
    'Azure grants sender usernames only to those whose sending limits it has raised.',
}
