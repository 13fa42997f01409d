/** Converts between Cloudflare's terms and ours. An rrset is its records of one name and type. */
import { canonicalOrWritten, masterRdata } from '#dns/rdata.ts'
import { octetsOfText, quoted, wordsOf } from '#dns/text.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { type Change, type ClaimRef, type NamedType, type RRset, rrsetTypeOf } from '../contract.ts'
import type { CfBatch, CfRecord } from './api.ts'

/**
 * A TTL of 1 means "automatic", which is answered as 300 seconds. A record that someone switched to or
 * from proxied is read as it is: no desired rrset equals it, so it is repaired.
 */
const AUTOMATIC = 1
const AUTOMATIC_TTL_S = 300

/** RFC 5737: a documentation address without a host; what a redirected name holds, proxied. */
export const ORIGINLESS = '192.0.2.1'

/** The name of the claim's stamp: Cloudflare's zones have no field for it. */
export const stampName = (name: string): string => absolute(`_mailstead.${name}`)
export const stampOf = ({ claimId }: ClaimRef): string => `claim=${claimId}`

export const stampRRset = (claim: ClaimRef): RRset => ({
  name: stampName(claim.name),
  type: 'TXT',
  ttl: AUTOMATIC_TTL_S,
  data: [stampOf(claim)],
})

/** One rrset with its records. */
type Group = RRset & { records: readonly CfRecord[] }

export function toGroups(records: readonly CfRecord[], leads = false): Group[] {
  const groups = new Map<string, CfRecord[]>()
  for (const record of records) {
    const key = `${record.name.toLowerCase()} ${record.type}`
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  return [...groups.values()].flatMap((group) => {
    const { name, type: written } = group[0]!
    const type = rrsetTypeOf(written)
    if (type === undefined) return []
    const ttl = Math.min(...group.map((record) => ttlOf(record, leads)))
    return [{ name: absolute(name), type, ttl, data: group.map(contentOf), records: group }]
  })
}

export const toRRset = ({ name, type, ttl, data }: Group): RRset => ({ name, type, ttl, data })

function ttlOf(record: CfRecord, leads: boolean): number {
  const { type, ttl, proxied, content = '' } = record
  if (ttl !== AUTOMATIC) return ttl
  return proxied === isOfRedirect(type, content, leads) ? AUTOMATIC_TTL_S : AUTOMATIC
}

/** Only records of a redirect are proxied; those for mail never are. */
const isOfRedirect = (type: string, value: string, leads: boolean): boolean =>
  leads && type === 'A' && value === ORIGINLESS

/**
 * The fields of `data`, in rdata order, and how each is written: a number, a host, quoted text, or
 * plain.
 */
const DATA: Partial<Record<NamedType, Record<string, 'number' | 'host' | 'text' | 'words'>>> = {
  CAA: { flags: 'number', tag: 'words', value: 'text' },
  DS: { key_tag: 'number', algorithm: 'number', digest_type: 'number', digest: 'words' },
  HTTPS: { priority: 'number', target: 'host', value: 'words' },
  NAPTR: {
    order: 'number',
    preference: 'number',
    flags: 'text',
    service: 'text',
    regex: 'text',
    replacement: 'host',
  },
  SRV: { priority: 'number', weight: 'number', port: 'number', target: 'host' },
  SSHFP: { algorithm: 'number', type: 'number', fingerprint: 'words' },
  SVCB: { priority: 'number', target: 'host', value: 'words' },
  TLSA: { usage: 'number', selector: 'number', matching_type: 'number', certificate: 'words' },
}
const fieldsOf = (type: string) => Object.entries(DATA[type as NamedType] ?? {})

function contentOf(record: CfRecord): string {
  const type = rrsetTypeOf(record.type)
  const written = writtenContent(record)
  return type === undefined ? written : canonicalOrWritten(type, written)
}

function writtenContent({ type, content = '', priority, data = {} }: CfRecord): string {
  if (type === 'MX') return `${priority ?? 0} ${absolute(content)}`
  if (['CNAME', 'NS', 'PTR'].includes(type)) return absolute(content)
  const fields = fieldsOf(type)
  if (fields.length === 0) return content
  return fields.map(([name, form]) => writtenField(String(data[name] ?? ''), form)).join(' ')
}

function writtenField(value: string, form: 'number' | 'host' | 'text' | 'words'): string {
  if (form === 'host') return absolute(value)
  return form === 'text' ? quoted(Buffer.from(value)) : value
}

function toRecord({ name, type, ttl }: RRset, value: string, leads: boolean): object {
  const proxied = isOfRedirect(type, value, leads) && ttl === AUTOMATIC_TTL_S
  const record = { name: relative(name), type, ttl: proxied ? AUTOMATIC : ttl, proxied }
  if (fieldsOf(type).length > 0) return { ...record, data: toData(type, value) }
  if (type === 'MX') {
    const [preference, exchange] = value.split(' ')
    return { ...record, priority: Number(preference), content: hostOf(exchange!) }
  }
  const isName = ['CNAME', 'NS', 'PTR'].includes(type)
  return { ...record, content: isName ? hostOf(value) : masterRdata(type, value) }
}

/** The last field takes all words that remain. */
function toData(type: RRset['type'], value: string): object {
  const words = wordsOf(value)
  const fields = fieldsOf(type)
  return Object.fromEntries(
    fields.map(([name, form], i) => {
      const word = words[i]?.text ?? ''
      if (form === 'number') return [name, Number(word)]
      if (form === 'host') return [name, hostOf(word)]
      if (form === 'text') return [name, octetsOfText(word).toString()]
      return [name, i < fields.length - 1 ? word : restOf(value, i)]
    }),
  )
}

/** A value from the word of this index on: earlier words have no spaces. */
const restOf = (value: string, from: number): string => value.split(' ').slice(from).join(' ')

const hostOf = (name: string): string => (name === '.' ? '.' : relative(name))

/**
 * The changes as batches of at most `limit` operations, never splitting a change: existing records stay,
 * so that no rrset is incomplete in between. With `leads`, the addresses that stand for a redirect are
 * proxied.
 */
export function toBatches(
  groups: readonly Group[],
  changes: readonly Change[],
  { limit, leads = false }: { limit: number; leads?: boolean },
): CfBatch[] {
  const there = new Map(groups.map((group) => [`${group.name} ${group.type}`, group]))
  const batches: { deletes: { id: string }[]; posts: object[] }[] = []
  for (const change of changes) {
    const { name, type } = 'put' in change ? change.put : change.drop
    const part = toBatch(there.get(`${name} ${type}`)?.records ?? [], change, leads)
    const last = batches.at(-1)
    const isFull = !last || sizeOf(last) + sizeOf(part) > limit
    if (isFull) batches.push(part)
    else {
      last.deletes.push(...part.deletes)
      last.posts.push(...part.posts)
    }
  }
  return batches
}

const sizeOf = ({ deletes, posts }: CfBatch): number => deletes.length + posts.length

function toBatch(records: readonly CfRecord[], change: Change, leads: boolean) {
  const put = 'put' in change ? change.put : undefined
  const isKept = (record: CfRecord) =>
    put !== undefined && ttlOf(record, leads) === put.ttl && put.data.includes(contentOf(record))
  const kept = records.filter(isKept).map(contentOf)
  const deletes = records.filter((record) => !isKept(record)).map(({ id }) => ({ id }))
  const added = put?.data.filter((value) => !kept.includes(value)) ?? []
  return { deletes, posts: added.map((value) => toRecord(put!, value, leads)) }
}
