/** Azure replaces the list of linked domains whole: two processes must not unlink each other's. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { azure } from '#drivers/sender/azure/driver.ts'
import { registered } from '#drivers/sender/conformance.ts'
import type { ClaimRef, NeededRecord } from '#drivers/sender/contract.ts'
import { driverNotes } from '#store/driver-notes.ts'
import { exclusiveStore } from '#store/exclusive.ts'
import { azureSettings } from '../../emulators/accounts.ts'
import { startAzureEmulator } from '../../emulators/azure/emulator.ts'
import { testStore } from '../store.ts'
import { testTools } from '../tools.ts'

const ROUNDS = 100

test(`two processes link a domain each at the same moment, ${ROUNDS} times, and both are linked`, async ({
  signal,
}) => {
  await using store = await testStore()
  const records: NeededRecord[] = []
  await using emulator = await startAzureEmulator({
    ask: async (name, type) =>
      records
        .filter((record) => record.name === `${name}.` && record.type === type)
        .flatMap(({ data }) => data.map((value) => value.replace(/\.$/, ''))),
  })
  const settings = { ...azureSettings(emulator), check_again_seconds: 0.01 }
  const driver = azure.open(azure.settings.parse(settings), {
    ...testTools(),
    exclusive: exclusiveStore(store),
    notes: driverNotes(store, 'azure'),
  })
  /** Registered, published, and every check done but the link. */
  async function readyToLink(round: number, process: string): Promise<ClaimRef> {
    const claim = { claimId: randomUUID(), name: `r${round}${process}.example`, nameservers: [] }
    records.push(...(await registered(driver, claim, signal)))
    emulator.faults.add({ kind: 'broken', method: 'PATCH', about: claim.name, times: 1000 })
    for (let look = 0; look < 50; look++) {
      const { is } = await driver.verifyDomain(claim, signal).catch(() => ({ is: 'linking' }))
      if (is === 'linking') return claim
      await delay(2)
    }
    return assert.fail('the checks were not done in time')
  }
  const given = JSON.stringify({ settings, connection: store.connection })
  const racers = ['a', 'b'].map(() =>
    spawn(process.execPath, ['test/link-racer.ts', given], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  try {
    const lines = racers.map(({ stdout }) =>
      createInterface({ input: stdout! })[Symbol.asyncIterator](),
    )
    for (let round = 0; round < ROUNDS; round++) {
      const claims = await Promise.all(['a', 'b'].map((process) => readyToLink(round, process)))
      emulator.faults.clear()
      racers.forEach(
        (racer, index) => void racer.stdin!.write(`${JSON.stringify(claims[index])}\n`),
      )
      const said = await Promise.all(lines.map(async (each) => (await each.next()).value))
      assert.deepEqual(said, ['verified', 'verified'])
      const linked = emulator.holdings().linkedDomains.join().toLowerCase()
      for (const { name } of claims)
        assert.ok(linked.includes(`/${name}`), `round ${round}: ${name}`)
    }
    assert.equal(emulator.holdings().linkedDomains.length, 2 * ROUNDS)
  } finally {
    await Promise.all(racers.map(end))
  }
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.stdin!.end()
  await exited
}
