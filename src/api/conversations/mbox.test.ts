import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mboxOf } from './mbox.ts'

async function mbox(...octets: string[]): Promise<string> {
  async function* messages() {
    for (const each of octets)
      yield {
        envelopeSender: 'ann@lead.example',
        receivedAt: new Date('2026-11-03T09:05:00Z'),
        octets: Buffer.from(each, 'latin1'),
      }
  }
  const parts: Buffer[] = []
  for await (const part of mboxOf(messages())) parts.push(part)
  return Buffer.concat(parts).toString('latin1')
}

const FROM = 'From ann@lead.example Tue Nov  3 09:05:00 2026\n'

test('each message follows its From line, and an empty line follows it', async () => {
  assert.equal(
    await mbox('Subject: a\r\n\r\none\r\n', 'Subject: b\r\n\r\ntwo'),
    `${FROM}Subject: a\n\none\n\n${FROM}Subject: b\n\ntwo\n\n`,
  )
  assert.equal(await mbox(), '')
})

test('a line of a message never begins another, and can be told from one that was quoted before', async () => {
  const written = await mbox('A: b\r\n\r\nFrom here\r\n>From there\r\n From nowhere\r\n')
  assert.equal(written, `${FROM}A: b\n\n>From here\n>>From there\n From nowhere\n\n`)
})

test('octets that are no text come through', async () => {
  assert.equal(await mbox('A: \xff\r\n\r\n\xfe\r\n'), `${FROM}A: \xff\n\n\xfe\n\n`)
})
