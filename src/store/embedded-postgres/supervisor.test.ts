import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from './server.ts'
import { Supervisor } from './supervisor.ts'

describe('a server that dies', { concurrency: true }, () => {
  test('again and again is given up, aloud', async () => {
    const log: string[] = []
    const launch = async () => deadServer()
    const supervisor = new Supervisor(deadServer(), launch, (line) => log.push(line))
    await eventually(async () => log.at(-1)?.startsWith('Postgres stays down') === true)
    const pauses = log.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? [])
    assert.deepEqual(pauses, ['100', '200', '400', '800', '1600'])
    assert.equal(supervisor.pid, undefined)
    await supervisor[Symbol.asyncDispose]()
  })

  test('and cannot be started again ends its supervisor no more than that', async () => {
    const log: string[] = []
    const launch = () => Promise.reject(new Error('no room'))
    await using _ = new Supervisor(deadServer(), launch, (line) => log.push(line))
    await eventually(async () => log.filter((line) => line === 'Error: no room').length === 2)
  })
})

function deadServer(): Server {
  const how = 'exit code 1'
  return {
    pid: 1,
    howEnded: how,
    ended: Promise.resolve(how),
    lastWords: async () => '',
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
