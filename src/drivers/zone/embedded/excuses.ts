import type { Excuses } from '../conformance.ts'

const ONE_A_CLAIM = 'It holds a zone for each claim, and serves the holder’s.'

export const excuses: Excuses = {
  'a zone with another claim’s stamp is neither adopted, read, changed nor removed': ONE_A_CLAIM,
  'once a claim has removed its zone, another claim on the name can have one': ONE_A_CLAIM,
  'the host’s own nameservers answer what was put, with authority':
    'Its nameservers are a role of their own, examined in src/servers/dns and by the journeys.',
  'the host’s own nameservers answer a change, and nothing once the zone is removed':
    'Its nameservers are a role of their own, examined in src/servers/dns and by the journeys.',
}
