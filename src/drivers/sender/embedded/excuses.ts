import type { Excuses } from '../conformance.ts'

const ONE_A_CLAIM =
  'It holds a registration for each claim; who may send is decided before it is asked.'

export const excuses: Excuses = {
  'identities are granted and taken away one by one, and listed':
    'A registered domain may send as any of its addresses.',
  'a registration with another claim’s stamp is neither used nor removed': ONE_A_CLAIM,
  'once a claim has removed its registration, another claim can have one': ONE_A_CLAIM,
}
