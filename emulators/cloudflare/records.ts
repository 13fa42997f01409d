/** Records: listed in pages, changed one by one or in a batch. */
import { Refused, type Reply } from './answers.ts'
import { RecordBook } from './book.ts'
import { type Call, zoneOf } from './call.ts'
import { bodyOf, type Given, isGiven } from './given.ts'
import { pageOf, recordsAsked } from './query.ts'
import { recordResult } from './record.ts'
import type { HeldRecord } from './world.ts'

const PAGES = { usual: 100, most: 5_000_000 }

export function listRecords(call: Call): Reply {
  const { query } = call.request
  const asked = recordsAsked([...zoneOf(call).records.values()], query)
  const { members, info } = pageOf(asked, query, { ...PAGES, limit: call.world.limits.page })
  return { result: members.map(recordResult), info }
}

export function readRecord(call: Call): Reply {
  const book = new RecordBook(call.world, zoneOf(call))
  return { result: recordResult(book.get(call.params.record)) }
}

export function createRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return { result: recordResult(changed(call, (book) => book.add(given))) }
}

export function patchRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return { result: recordResult(changed(call, (book) => book.patch(call.params.record, given))) }
}

export function overwriteRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return {
    result: recordResult(changed(call, (book) => book.overwrite(call.params.record, given))),
  }
}

export function removeRecord(call: Call): Reply {
  const { id } = changed(call, (book) => book.remove(call.params.record))
  return { result: { id } }
}

/** The order of operations, whatever the order in the body. */
const OPERATIONS = [
  ['deletes', (book: RecordBook, { id }: Given) => book.remove(id)],
  ['patches', (book: RecordBook, { id, ...given }: Given) => book.patch(id, given)],
  ['puts', (book: RecordBook, { id, ...given }: Given) => book.overwrite(id, given)],
  ['posts', (book: RecordBook, given: Given) => book.add(given)],
] as const

export function batchRecords(call: Call): Reply {
  const body = bodyOf(call.request)
  const most = call.world.limits.batch
  const work = OPERATIONS.map(([name, act]) => ({ name, act, items: itemsOf(body[name]) }))
  const count = work.reduce((sum, { items }) => sum + items.length, 0)
  if (count > most) throw new Refused('batch_too_large', String(most))
  const done = changed(call, (book) =>
    work.map(({ name, act, items }): [string, HeldRecord[]] => [
      name,
      items.map((item) => act(book, item)),
    ]),
  )
  return {
    result: Object.fromEntries(done.map(([name, records]) => [name, records.map(recordResult)])),
  }
}

function itemsOf(value: unknown): readonly Given[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(isGiven)) throw new Refused('body_unreadable')
  return value
}

/** If one operation is refused, none takes effect. */
function changed<T>(call: Call, act: (book: RecordBook) => T): T {
  const book = new RecordBook(call.world, zoneOf(call))
  const result = act(book)
  book.commit()
  return result
}
