/** One record: parsed from the body of a call, and converted for an answer. */
import { Refused } from './answers.ts'
import { isServedType, readContent } from './content.ts'
import { fullName, type Given, isGiven, isWhole } from './given.ts'
import type { Draft, HeldRecord } from './world.ts'

const AUTOMATIC = 1
const [LEAST_TTL, MOST_TTL] = [60, 86_400]
export const PROXIABLE: readonly string[] = ['A', 'AAAA', 'CNAME']
const MAX_TAG_NAME = 32

export function draftOf(given: Given, zone: string, tagsPerRecord: number): Draft {
  const { type } = given
  if (!isServedType(type)) throw new Refused('type_invalid', String(type))
  refuseUnemulated(given)
  const name = fullName(given.name, zone)
  const proxied = given.proxied ?? false
  if (typeof proxied !== 'boolean' || (proxied && !PROXIABLE.includes(type))) {
    throw new Refused('unproxiable')
  }
  return {
    type,
    name,
    ...readContent(type, given, { zone, name }),
    ttl: proxied ? AUTOMATIC : ttlOf(given.ttl),
    proxied,
    comment: commentOf(given.comment),
    tags: tagsOf(given.tags, tagsPerRecord),
  }
}

/** As documented, one proxied record makes every address of its name proxied. */
export const proxiedNames = (records: readonly HeldRecord[]): ReadonlySet<string> =>
  new Set(records.filter(({ proxied }) => proxied).map(({ name }) => name))

/** The base of a patch: the record in the form of a body. */
export const givenOf = ({ type, name, content, priority, data, ...rest }: HeldRecord): Given => ({
  type,
  name,
  content,
  priority,
  data,
  ttl: rest.ttl,
  proxied: rest.proxied,
  comment: rest.comment,
  tags: rest.tags,
})

function refuseUnemulated({ settings, private_routing }: Given): void {
  const isSet = isGiven(settings) && Object.values(settings).some((value) => value === true)
  if (isSet || private_routing === true) throw new Refused('not_emulated', 'settings of a record')
}

function ttlOf(ttl: unknown): number {
  if (ttl === undefined || ttl === AUTOMATIC) return AUTOMATIC
  if (!isWhole(ttl, LEAST_TTL, MOST_TTL)) throw new Refused('ttl_invalid')
  return ttl
}

function commentOf(comment: unknown): string | null {
  if (comment === undefined || comment === null || comment === '') return null
  if (typeof comment !== 'string' || /[\r\n]/.test(comment)) throw new Refused('comment_invalid')
  return comment
}

function tagsOf(tags: unknown, most: number): readonly string[] {
  if (tags === undefined || tags === null) return []
  if (!Array.isArray(tags) || !tags.every(isTag)) throw new Refused('tags_invalid')
  if (tags.length > most) {
    throw new Refused('tags_quota', `${tags.length} tags, exceeding the quota of ${most}`)
  }
  return tags
}

const isTag = (tag: unknown): tag is string =>
  typeof tag === 'string' &&
  /^[\w-]+(:[^\r\n]*)?$/.test(tag) &&
  tag.split(':')[0]!.length <= MAX_TAG_NAME

/** Without a comment, `comment` is null, as in the real API, though the SDK's types say only "string". */
export const recordResult = (record: HeldRecord) => ({
  id: record.id,
  name: record.name,
  type: record.type,
  content: record.content,
  ...(record.priority === undefined ? {} : { priority: record.priority }),
  ...(record.data === undefined ? {} : { data: record.data }),
  proxiable: PROXIABLE.includes(record.type),
  proxied: record.proxied,
  ttl: record.ttl,
  settings: record.type === 'CNAME' ? { flatten_cname: false } : {},
  meta: {},
  comment: record.comment,
  tags: record.tags,
  created_on: record.createdOn,
  modified_on: record.modifiedOn,
})
