import type { Excuses } from '../conformance.ts'

const ONE_A_CLAIM = 'It holds a mail domain for each claim, and takes mail for the holder’s.'

export const excuses: Excuses = {
  'a mail domain with another claim’s stamp is neither used nor removed': ONE_A_CLAIM,
  'once a claim has removed its mail domain, another claim gets one with a key of its own':
    ONE_A_CLAIM,
}
