/** A process that makes domains ready at Azure as it is told to, one claim a line; for the race of two. */
import { createInterface } from 'node:readline'
import { azure } from '#drivers/sender/azure/driver.ts'
import type { ClaimRef } from '#drivers/sender/contract.ts'
import { openDatabase } from '#store/database.ts'
import { driverNotes } from '#store/driver-notes.ts'
import { exclusiveStore } from '#store/exclusive.ts'
import { testTools } from './tools.ts'

const { settings, connection } = JSON.parse(process.argv[2]!)
const db = openDatabase(connection, { onError: () => undefined })
const store = { db } as Parameters<typeof driverNotes>[0]
const driver = azure.open(azure.settings.parse(settings), {
  ...testTools(),
  exclusive: exclusiveStore(store),
  notes: driverNotes(store, 'azure'),
})

for await (const line of createInterface({ input: process.stdin })) {
  const claim: ClaimRef = JSON.parse(line)
  const found = await driver.verifyDomain(claim, AbortSignal.timeout(20_000))
  console.log(found.is)
}
await db.destroy()
