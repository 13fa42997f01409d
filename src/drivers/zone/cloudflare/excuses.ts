import type { Excuses } from '../conformance.ts'

const ONE_A_NAME = 'An account holds one zone of a name, so claims take turns at it.'

export const excuses: Excuses = {
  'two claims on one name do not see what the other holds': ONE_A_NAME,
  'removing one claim’s zone keeps the zone of another claim on the name': ONE_A_NAME,
}
