import type { Excuses } from '../conformance.ts'

const ONE_A_NAME = 'A PowerDNS server can have only one zone with a name, so claims take turns.'

export const excuses: Excuses = {
  'two claims on one name do not see what the other holds': ONE_A_NAME,
  'removing one claim’s zone keeps the zone of another claim on the name': ONE_A_NAME,
}
