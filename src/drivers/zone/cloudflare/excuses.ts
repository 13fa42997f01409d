import type { Excuses } from '../conformance.ts'

const ONE_A_NAME = 'An account holds one zone of a name, so claims take turns at it.'

export const excuses: Excuses = {
  'two claims on one name do not see what the other holds': ONE_A_NAME,
  'removing one claim’s zone keeps the zone of another claim on the name': ONE_A_NAME,
}

/** What an account on any plan but the largest cannot fulfil. */
export const excusesOfMost: Excuses = {
  'many claims’ zones are made and removed at once, each its own':
    'Cloudflare sells zones below a registered name, as the suite makes them, to Enterprise only.',
}
