/** DKIM keys: made with a domain, and not deleted with it. */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { Entry, Say, Write } from './entries.ts'
import { escaped, integer, isDomainName, isGiven, list, pieces, text } from './php.ts'
import type { Mailcow } from './state.ts'

const generate = promisify(generateKeyPair)
const USUAL_BITS = 2048
const MOST_BITS = 8192

/** A key takes a tenth of a second, so the next one is made in advance. */
let spare: Promise<string> | undefined

async function makePublicKey(bits: number): Promise<string> {
  const { publicKey } = await generate('rsa', { modulusLength: bits })
  return publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
}

function newPublicKey(bits: number): Promise<string> {
  if (bits !== USUAL_BITS) return makePublicKey(bits)
  const key = spare ?? makePublicKey(bits)
  spare = makePublicKey(bits)
  return key
}

const addDkim: Write = async (mailcow, data, say) => {
  const entries: Entry[] = []
  for (const domain of pieces(data.domains)) entries.push(await addOne(mailcow, domain, data, say))
  return entries
}

/** An existing key, a bad name, selector or size: all get the same refusal. */
async function addOne(
  mailcow: Mailcow,
  domain: string,
  data: { dkim_selector?: unknown; key_size?: unknown },
  say: Say,
): Promise<Entry> {
  const invalid = say('danger', ['dkim_domain_or_sel_invalid', domain])
  const selector = isGiven(data.dkim_selector) ? text(data.dkim_selector) : 'dkim'
  const bits = integer(data.key_size)
  if (!isDomainName(domain) || mailcow.dkim.has(domain)) return invalid
  if (!/^[a-z0-9]+$/i.test(selector.replace(/[-_.]/g, ''))) return invalid
  if (!mailcow.domains.has(domain.toLowerCase())) return say('danger', ['access_denied', domain])
  if (bits < 512 || bits > MOST_BITS) return invalid
  mailcow.dkim.set(domain, { selector, publicKey: await newPublicKey(bits) })
  return say('success', ['dkim_added', domain])
}

const deleteDkim: Write = (mailcow, data, say) =>
  list(data.domains).map((item) => {
    const domain = text(item)
    if (!isDomainName(domain)) return say('danger', ['dkim_domain_or_sel_invalid', domain])
    mailcow.dkim.delete(domain)
    return say('success', ['dkim_removed', escaped(domain)])
  })

/** The private key is never shown, so it is not stored. */
export function dkimDetails(mailcow: Mailcow, domain: string): unknown {
  const key = mailcow.dkim.get(domain)
  if (key === undefined) return undefined
  return {
    pubkey: key.publicKey,
    length: lengthOf(key.publicKey),
    dkim_txt: `v=DKIM1;k=rsa;t=s;s=email;p=${key.publicKey}`,
    dkim_selector: key.selector,
    privkey: '',
  }
}

/** By the length of the key in base64; 3072 bits count as 2048. */
function lengthOf(publicKey: string): string {
  if (publicKey.length < 391) return '1024'
  if (publicKey.length < 736) return '2048'
  return publicKey.length < 1416 ? '4096' : '>= 8192'
}

export const DKIM = { add: addDkim, delete: deleteDkim }
