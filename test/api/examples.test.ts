/** The examples of the reference page are sent as they stand there: none of them is refused as not valid. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import {
  type Described,
  documentOf,
  operationsIn,
  type Samples,
  samplePath,
  send,
} from './document.ts'
import { UNKNOWN_ID } from './expect.ts'

const house = await testHouse({ MAILSTEAD_WAIT_MS: '500' })
after(() => house[Symbol.asyncDispose]())
const { client } = house
const html = await (await fetch(`${client.base}/docs`)).text()
const operations = operationsIn(await documentOf(client))

const { domain_id } = await client.addActive('examples.test')
const inbox = await client.post('/sender-accounts/coldsend-native', {
  domain_id,
  email_prefix: 'first',
  display_name: 'First',
})
const record = await client.post(`/domains/${domain_id}/records`, {
  name: 'first',
  type: 'A',
  value: '192.0.2.2',
})

/** What the ids of the examples stand for here; what is deleted is not there. */
const samplesFor = ({ method }: Described): Samples => ({
  domain_id: method === 'DELETE' ? UNKNOWN_ID : domain_id,
  inbox_id: inbox.body.inbox_id,
  record_id: method === 'DELETE' ? UNKNOWN_ID : record.body.record.record_id,
  key_id: UNKNOWN_ID,
  message_id: UNKNOWN_ID,
  job_id: UNKNOWN_ID,
  attachment_id: '0',
  thread_id: UNKNOWN_ID,
  password_id: 'aaaaaaaa',
  suppression_id: UNKNOWN_ID,
  domain: 'example.test',
})

function exampleBody(operationId: string): string | undefined {
  const section = html.split(`<section id="${operationId}">`)[1]!.split('</section>')[0]!
  const example = /<pre><code>(.*?)<\/code>/s.exec(section)![1]!
  const unescaped = example.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
  return / -d '(.*)'$/s.exec(unescaped)?.[1]?.replace(/"domain_id":"[^"]*"/, here)
}

const here = `"domain_id":"${domain_id}"`

for (const described of operations) {
  const { method, path, operation } = described
  test(`the example of ${method} ${path} is valid`, async () => {
    const body = exampleBody(operation.operationId)
    assert.equal(body !== undefined, operation.requestBody !== undefined)
    const sent = { method, path: samplePath(described, samplesFor(described)) }
    const answer = await send(client, { ...sent, ...(body === undefined ? {} : { body }) })
    const told = `${body} → ${answer.status} ${JSON.stringify(answer.body)}`
    // No provider is at a name of an example.
    const isWellFormed =
      [404, 409].includes(answer.status) || answer.body?.error === 'connection_failed'
    assert.ok(answer.status < 400 || isWellFormed, told)
  })
}
