/** Records: listed in pages, changed one by one or in a batch. */
import { Refused, type Reply } from './answers.ts'
import { type Call, zoneOf } from './call.ts'
import { bodyOf, type Given, isGiven } from './given.ts'
import { pageOf, recordsAsked } from './query.ts'
import { recordResult } from './record.ts'
import { RecordTable } from './record-table.ts'
import type { HeldRecord } from './world.ts'

const PAGES = { usual: 100, most: 5_000_000 }

export function listRecords(call: Call): Reply {
  const { query } = call.request
  const asked = recordsAsked([...zoneOf(call).records.values()], query)
  const { members, info } = pageOf(asked, query, { ...PAGES, limit: call.world.limits.page })
  return { result: members.map(recordResult), info }
}

export function readRecord(call: Call): Reply {
  const table = new RecordTable(call.world, zoneOf(call))
  return { result: recordResult(table.get(call.params.record)) }
}

export function createRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return { result: recordResult(changed(call, (table) => table.add(given))) }
}

export function patchRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return { result: recordResult(changed(call, (table) => table.patch(call.params.record, given))) }
}

export function overwriteRecord(call: Call): Reply {
  const given = bodyOf(call.request)
  return {
    result: recordResult(changed(call, (table) => table.overwrite(call.params.record, given))),
  }
}

export function removeRecord(call: Call): Reply {
  const { id } = changed(call, (table) => table.remove(call.params.record))
  return { result: { id } }
}

/** The order of operations, whatever the order in the body. */
const OPERATIONS = [
  ['deletes', (table: RecordTable, { id }: Given) => table.remove(id)],
  ['patches', (table: RecordTable, { id, ...given }: Given) => table.patch(id, given)],
  ['puts', (table: RecordTable, { id, ...given }: Given) => table.overwrite(id, given)],
  ['posts', (table: RecordTable, given: Given) => table.add(given)],
] as const

export function batchRecords(call: Call): Reply {
  const body = bodyOf(call.request)
  const most = call.world.limits.batch
  const work = OPERATIONS.map(([name, act]) => ({ name, act, items: itemsOf(body[name]) }))
  const count = work.reduce((sum, { items }) => sum + items.length, 0)
  if (count > most) throw new Refused('batch_too_large', String(most))
  const done = changed(call, (table) =>
    work.map(({ name, act, items }): [string, HeldRecord[]] => [
      name,
      items.map((item) => act(table, item)),
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
function changed<T>(call: Call, act: (table: RecordTable) => T): T {
  const table = new RecordTable(call.world, zoneOf(call))
  const result = act(table)
  table.commit()
  return result
}
