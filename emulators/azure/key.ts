/** The key Azure signs with for all its customers, who point to it by CNAME. */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { RRset } from '#drivers/zone/contract.ts'
import { dkimName, dkimRecord } from '#policy/dkim.ts'

/** The private key as PEM, the public one as base64 of its SubjectPublicKeyInfo. */
export type Key = { privateKey: string; publicKey: string }

export const SELECTORS = {
  DKIM: 'selector1-azurecomm-prod-net',
  DKIM2: 'selector2-azurecomm-prod-net',
} as const

let made: Promise<Key> | undefined

/** One key for the process: making one takes longer than a test. */
export function ownKey(): Promise<Key> {
  made ??= makeKey()
  return made
}

async function makeKey(): Promise<Key> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return { privateKey, publicKey: publicKey.toString('base64') }
}

const TTL_S = 60

type Names = { dkimZone: string; spfInclude: string; sourceAddress: string }

/** Azure's own records, which the customers' records refer to. */
export function ownRecords(key: Key, { dkimZone, spfInclude, sourceAddress }: Names): RRset[] {
  const keys = Object.values(SELECTORS).map((selector) => ({
    name: `${dkimName(selector, dkimZone)}.`,
    data: [dkimRecord(key.publicKey)],
  }))
  const mechanism = sourceAddress.includes(':') ? 'ip6' : 'ip4'
  const spf = { name: `${spfInclude}.`, data: [`v=spf1 ${mechanism}:${sourceAddress} -all`] }
  return [...keys, spf].map((record) => ({ ...record, type: 'TXT', ttl: TTL_S }))
}
