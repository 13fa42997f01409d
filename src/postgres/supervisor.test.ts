import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from './server.ts'
import { pauseMs, Supervisor } from './supervisor.ts'

describe('a server that dies', { concurrency: true }, () => {
  test('again and again is started again, after longer and longer pauses, aloud', async () => {
    const said: string[] = []
    const launch = async () => deadServer()
    await using supervisor = new Supervisor('Postgres', deadServer(), launch, hearing(said))
    await eventually(async () => said.length >= 6)
    assert.deepEqual(said.slice(0, 6), [
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 100 ms',
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 200 ms',
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 400 ms',
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 800 ms',
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 1600 ms',
      'Postgres ended by itself (exit code 1); Mailstead restarts it in 3200 ms',
    ])
    assert.equal(supervisor.pid, undefined)
  })

  test('and cannot be started again ends its supervisor no more than that', async () => {
    const said: string[] = []
    const launch = () => Promise.reject(new Error('no room'))
    await using _ = new Supervisor('Postgres', deadServer(), launch, hearing(said))
    await eventually(
      async () => said.filter((line) => line.startsWith('Error: no room; ')).length === 2,
    )
  })

  test('is never given up, and never left alone for more than a minute', () => {
    assert.deepEqual(
      [8, 9, 10, 1000, 100_000].map(pauseMs),
      [25_600, 51_200, 60_000, 60_000, 60_000],
    )
  })
})

const hearing = (said: string[]) => ({
  onLog: () => undefined,
  onTrouble: (sentence: string) => void said.push(sentence),
})

function deadServer(): Server {
  const how = 'exit code 1'
  return {
    pid: 1,
    howEnded: how,
    ended: Promise.resolve(how),
    lastLogLines: async () => '',
    async [Symbol.asyncDispose]() {},
  }
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it did not happen within 10 s')
    await sleep(5)
  }
}
