/** Cloudflare's words and ours. It speaks of single records; an rrset is what shares a name and a type. */
import { absolute, relative } from '#names/domain-name.ts'
import { type Change, type ClaimRef, isRRsetType, type RRset } from '../contract.ts'
import { quoteTxt, unquoteTxt } from '../txt.ts'
import type { CfBatch, CfRecord } from './api.ts'

/**
 * A TTL of 1 means "automatic", which is answered as 300 seconds. Of a record that somebody switched to
 * proxied, or from it, it is read as it stands: no rrset asks for it, so the difference is seen and mended.
 */
const AUTOMATIC = 1
const AUTOMATIC_TTL_S = 300

/** RFC 5737: an address of documentation, where nothing is; what a redirected name holds, proxied. */
export const ORIGINLESS = '192.0.2.1'

/** Where the claim's stamp stands: zones have no field for it. */
export const stampName = (name: string): string => absolute(`_mailstead.${name}`)
export const stampOf = ({ claimId }: ClaimRef): string => `claim=${claimId}`

export const stampRRset = (claim: ClaimRef): RRset => ({
  name: stampName(claim.name),
  type: 'TXT',
  ttl: AUTOMATIC_TTL_S,
  data: [stampOf(claim)],
})

/** One rrset with the records it is made of. */
type Group = RRset & { records: readonly CfRecord[] }

export function toGroups(records: readonly CfRecord[], leads = false): Group[] {
  const groups = new Map<string, CfRecord[]>()
  for (const record of records) {
    const key = `${record.name.toLowerCase()} ${record.type}`
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  return [...groups.values()].flatMap((group) => {
    const { name, type } = group[0]!
    if (!isRRsetType(type)) return []
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

/** Mail records are never proxied: only what a redirect needs is. */
const isOfRedirect = (type: string, value: string, leads: boolean): boolean =>
  leads && type === 'A' && value === ORIGINLESS

function contentOf({ type, content = '', priority, data = {} }: CfRecord): string {
  switch (type) {
    case 'TXT':
      return unquoteTxt(content)
    case 'MX':
      return `${priority ?? 0} ${absolute(content)}`
    case 'CNAME':
    case 'NS':
      return absolute(content)
    case 'SRV':
      return `${data.priority} ${data.weight} ${data.port} ${absolute(String(data.target))}`
    case 'CAA':
      return `${data.flags} ${data.tag} "${data.value}"`
    default:
      return content
  }
}

function toRecord({ name, type, ttl }: RRset, value: string, leads: boolean): object {
  const proxied = isOfRedirect(type, value, leads) && ttl === AUTOMATIC_TTL_S
  const record = { name: relative(name), type, ttl: proxied ? AUTOMATIC : ttl, proxied }
  const words = value.split(' ')
  switch (type) {
    case 'TXT':
      return { ...record, content: quoteTxt(value) }
    case 'MX':
      return { ...record, priority: Number(words[0]), content: hostOf(words[1]!) }
    case 'CNAME':
    case 'NS':
      return { ...record, content: hostOf(value) }
    case 'SRV': {
      const [priority, weight, port] = words.map(Number)
      return { ...record, data: { priority, weight, port, target: hostOf(words[3]!) } }
    }
    case 'CAA': {
      const text = words.slice(2).join(' ')
      return {
        ...record,
        data: { flags: Number(words[0]), tag: words[1], value: unquoteTxt(text) },
      }
    }
    default:
      return { ...record, content: value }
  }
}

const hostOf = (name: string): string => (name === '.' ? '.' : relative(name))

/**
 * The changes as batches of `limit` operations at most, a change never cut in two: what is there
 * already stays, so that nothing is missing between two records of one rrset. With `leads`, the addresses
 * that stand for a redirect are proxied.
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
