import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { commandOf } from '#postgres/processes.ts'
import { temporaryDirectory } from '../../test/directories.ts'
import { certificate, isRefused, WITHOUT_DOVECOT } from '../../test/dovecot.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'

const skip = WITHOUT_DOVECOT ?? false
const { signal } = new AbortController()

async function start(dataDir: string, more: { path?: string } = {}): Promise<Dovecot> {
  const path = process.env.PATH
  if (more.path !== undefined) process.env.PATH = more.path
  try {
    const options = {
      dataDir,
      listen: [{ address: '127.0.0.1', port: 0 }],
      tls: await certificate(),
      quotaMb: 0,
      findLogIn: async () => undefined,
      onLog: () => undefined,
      onTrouble: () => undefined,
      onError: () => undefined,
    }
    return await startDovecot(options, signal)
  } finally {
    process.env.PATH = path
  }
}

test('another version than 2.3 is refused with a sentence', async () => {
  await using directory = await temporaryDirectory()
  const program = join(directory.path, 'dovecot')
  await writeFile(program, '#!/bin/sh\necho "2.4.1 (abc)"\n')
  await chmod(program, 0o755)
  await assert.rejects(start(directory.path, { path: `${directory.path}:${process.env.PATH}` }), {
    name: 'DovecotUnusable',
    message: `Dovecot 2.3 is wanted; ${program} is 2.4.1 (abc).`,
  })
})

test('a data directory is used by one Dovecot at a time', { skip }, async () => {
  await using directory = await temporaryDirectory()
  await using dovecot = await start(directory.path)
  await assert.rejects(start(directory.path), { name: 'DirectoryInUse' })
  assert.ok(dovecot.pid)
})

test('a master.pid of another process does not stop a start', { skip }, async () => {
  await using directory = await temporaryDirectory()
  await (await start(directory.path))[Symbol.asyncDispose]()
  await writeFile(join(directory.path, 'run', 'base', 'master.pid'), `${process.pid}\n`)
  await using dovecot = await start(directory.path)
  assert.ok(dovecot.pid)
})

test('the end leaves no process and no listener', { skip }, async () => {
  await using directory = await temporaryDirectory()
  const dovecot = await start(directory.path)
  const { pid, listeners } = dovecot
  await dovecot[Symbol.asyncDispose]()
  assert.equal(await commandOf(pid!), '')
  const [{ address: host, port }] = listeners as [{ address: string; port: number }]
  const logIn = { username: 'kim@acme.test', password: 'x' }
  await assert.rejects(isRefused({ host, port }, logIn), { code: /ECONNREFUSED|ECONNRESET/ })
})

test('a mail user that is no name is refused, with the reply of Dovecot', { skip }, async () => {
  await using directory = await temporaryDirectory()
  await using dovecot = await start(directory.path)
  const raw = Buffer.from('Subject: x\r\n\r\nText\r\n')
  const mail = { sender: 'ann@inbox.test', mailUser: 'inbox@claim', raw }
  assert.deepEqual(await dovecot.deliver(mail, signal), { is: 'taken' })
  const handed = await dovecot.deliver({ ...mail, mailUser: 'inbox/../x@claim' }, signal)
  assert.equal(handed.is, 'refused')
})

test('a message is found by its id, until it is a week old', { skip }, async () => {
  await using directory = await temporaryDirectory()
  await using dovecot = await start(directory.path)
  const raw = Buffer.from('X-Mailstead-Id: one\r\nSubject: x\r\n\r\nText\r\n')
  await dovecot.deliver({ sender: '', mailUser: 'inbox@claim', raw }, signal)
  assert.equal(await dovecot.has('inbox@claim', 'one', signal), true)
  assert.equal(await dovecot.has('inbox@claim', 'two', signal), false)
  assert.equal(await dovecot.has('other@claim', 'one', signal), false)
})

test('calls to a Dovecot that is down fail, and there is nothing to kick', { skip }, async () => {
  await using directory = await temporaryDirectory()
  const dovecot = await start(directory.path)
  await dovecot[Symbol.asyncDispose]()
  await delay(100)
  const mail = { sender: '', mailUser: 'inbox@claim', raw: Buffer.from('\r\n') }
  await assert.rejects(dovecot.deliver(mail, signal), { code: /ENOENT|ECONNREFUSED/ })
  await assert.rejects(dovecot.has('inbox@claim', 'one', signal), { code: /ENOENT|ECONNREFUSED/ })
  await dovecot.kick('inbox@claim', signal)
})
