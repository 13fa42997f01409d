import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { type DKIMVerifyOptions, dkimVerify } from 'mailauth'
import PostalMime from 'postal-mime'
import {
  type Answer,
  type Bench,
  idOf,
  link,
  MESSAGE,
  openBench,
  outcomeOf,
  readyToSend,
  SEND,
  SERVICE,
  send,
  signed,
  VERSION,
} from './bench.ts'
import type { DeliveryStatus } from './emulator.ts'

const D = 'emailServices/es/domains/a.example'
const code = ({ status, json }: Answer) => [status, json.error.code]
const to = (...addresses: string[]) => ({
  recipients: { to: addresses.map((address) => ({ address })) },
})

describe('a request to send is denied', () => {
  const body = JSON.stringify(MESSAGE)
  const ago = (ms: number) => new Date(Date.now() - ms)
  const DENIED: [name: string, tweaks: Partial<Parameters<typeof signed>[3]>][] = [
    ['with another key', { key: Buffer.from('other').toString('base64') }],
    ['with a date too long ago', { date: ago(6 * 60_000) }],
    ['with a date to come', { date: ago(-6 * 60_000) }],
    ['with the hash of another body', { signedBody: `${body} ` }],
    ['without authorization', { headers: { authorization: '' } }],
    ['with a bearer token', { headers: { authorization: 'Bearer x' } }],
    ['with another date than was signed', { headers: { 'x-ms-date': ago(1000).toUTCString() } }],
    ['without a date', { headers: { 'x-ms-date': '' } }],
  ]
  for (const [name, tweaks] of DENIED) {
    test(name, async () => {
      await using bench = await openBench()
      const { key } = await readyToSend(bench)
      const answer = await signed(bench, SEND, body, { key, ...tweaks })
      assert.deepEqual(code(answer), [401, 'Denied'])
      assert.equal(answer.headers.get('x-ms-error-code'), 'Denied')
      assert.deepEqual(bench.azure.sent, [])
    })
  }

  test('when key authentication is switched off, or the key was replaced', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const off = { properties: { disableLocalAuth: true } }
    await bench.call('PATCH', 'communicationServices/cs', off)
    assert.deepEqual(code(await send(bench, key)), [401, 'Denied'])
    const on = { properties: { disableLocalAuth: false } }
    await bench.call('PATCH', 'communicationServices/cs', on)
    assert.equal((await send(bench, key)).status, 202)
    await bench.call('POST', 'communicationServices/cs/regenerateKey', { keyType: 'Primary' })
    assert.deepEqual(code(await send(bench, key)), [401, 'Denied'])
  })
})

describe('a message is refused', () => {
  const REFUSED: [name: string, about: object, status: number, code: string][] = [
    ['without an author', { senderAddress: undefined }, 400, 'BadRequest'],
    ['with a named author', { senderAddress: 'Kim <donotreply@a.example>' }, 400, 'BadRequest'],
    ['without a subject', { content: { plainText: 'x' } }, 400, 'BadRequest'],
    ['without a text', { content: { subject: 'x' } }, 400, 'BadRequest'],
    ['without recipients', { recipients: {} }, 400, 'BadRequest'],
    ['with no recipient', to(), 400, 'BadRequest'],
    ['with 51 recipients', to(...many(51)), 400, 'BadRequest'],
    ['to what is no address', to('kim'), 400, 'InvalidEmailAddress'],
    ['with a header of the service', { headers: { From: 'x@y.example' } }, 400, 'BadRequest'],
    ['with a header that is none', { headers: { 'a b': 'c' } }, 400, 'BadRequest'],
    ['with an unknown property', { from: 'x' }, 400, 'BadRequest'],
    [
      'with an attachment that is not base64',
      { attachments: [{ name: 'a', contentType: 'text/plain', contentInBase64: '!' }] },
      400,
      'BadRequest',
    ],
    [
      'with a wrong Message-ID, when that was to be checked',
      { headers: { 'Message-ID': 'x', 'x-ms-acsemail-validate-message-id': 'true' } },
      400,
      'BadRequest',
    ],
    ['from a domain that is not linked', { senderAddress: 'x@b.example' }, 404, 'DomainNotLinked'],
    [
      'from a username that is none',
      { senderAddress: 'kim@a.example' },
      400,
      'InvalidSenderUserName',
    ],
  ]
  test('for what the table says, and nothing is sent', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    for (const [name, about, status, expected] of REFUSED) {
      assert.deepEqual(code(await send(bench, key, about)), [status, expected], name)
    }
    assert.deepEqual(bench.azure.sent, [])
  })

  test('once the domain is unlinked, and by another service than the linked one', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    await bench.call('PUT', 'communicationServices/other', SERVICE)
    await bench.call('GET', 'communicationServices/other')
    await bench.call('GET', 'communicationServices/other')
    const { json } = await bench.call('POST', 'communicationServices/other/listKeys')
    const foreign = await send(bench, String(json.primaryKey))
    assert.deepEqual(code(foreign), [404, 'DomainNotLinked'])
    await link(bench, [])
    assert.deepEqual(code(await send(bench, key)), [404, 'DomainNotLinked'])
    await link(bench, [idOf(bench, 'a.example').toLowerCase()])
    assert.equal((await send(bench, key)).status, 202)
  })

  const ELSEWHERE: [target: readonly [string, string], status: number, code: string][] = [
    [['POST', '/emails:send'], 400, 'UnsupportedApiVersion'],
    [['POST', '/emails:send?api-version=2020-01-01'], 400, 'UnsupportedApiVersion'],
    [['GET', `/emails/operations/${randomUUID()}?api-version=${VERSION}`], 404, 'NotFound'],
    [['GET', `/emails?api-version=${VERSION}`], 404, 'NotFound'],
    [['DELETE', `/emails/operations/1?api-version=${VERSION}`], 404, 'NotFound'],
  ]
  test('at any other address or version', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    for (const [target, status, expected] of ELSEWHERE) {
      const body = target[0] === 'GET' ? '' : JSON.stringify(MESSAGE)
      assert.deepEqual(code(await signed(bench, target, body, { key })), [status, expected])
    }
  })

  test('when its operation id is no UUID, or was used', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const id = randomUUID()
    const as = (operation: string) =>
      send(bench, key, {}, { headers: { 'operation-id': operation } })
    assert.deepEqual(code(await as('1')), [400, 'BadRequest'])
    const taken = await as(id)
    assert.deepEqual([taken.status, taken.json.id], [202, id])
    assert.deepEqual(code(await as(id)), [409, 'Conflict'])
    assert.equal((await outcomeOf(bench, key, id)).status, 'Succeeded')
    assert.equal(bench.azure.sent.length, 1)
  })

  test('beyond so many a minute and an hour, until that has passed', async () => {
    let now = Date.now()
    await using bench = await openBench({ sendsPerMinute: 2, sendsPerHour: 3, now: () => now })
    const { key } = await readyToSend(bench)
    const one = () => send(bench, key, {}, { date: new Date(now) })
    const statuses = async (count: number) => {
      const seen = []
      for (let sends = 0; sends < count; sends++) seen.push((await one()).status)
      return seen
    }
    assert.deepEqual(await statuses(3), [202, 202, 429])
    const { headers, json } = await one()
    assert.equal(headers.get('retry-after'), '60')
    assert.equal(json.error.code, 'TooManyRequests')
    now += 60_000
    assert.deepEqual(await statuses(2), [202, 429])
    assert.equal((await one()).headers.get('retry-after'), '3540')
  })

  test('not at all when limits are off; its state can be asked for only so often', async () => {
    await using bench = await openBench({ sendsPerMinute: 0, statusReadsPerMinute: 2 })
    const { key } = await readyToSend(bench)
    for (let sends = 0; sends < 31; sends++) assert.equal((await send(bench, key)).status, 202)
    const target = ['GET', `/emails/operations/${randomUUID()}?api-version=${VERSION}`] as const
    const statuses = []
    for (let reads = 0; reads < 3; reads++) {
      statuses.push((await signed(bench, target, '', { key })).status)
    }
    assert.deepEqual(statuses, [404, 404, 429])
  })
})

function many(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `kim${index}@inbox.test`)
}

describe('what is sent', () => {
  test('is a message signed for the domain by the key its alias leads to', async () => {
    const delivered: { envelopeSender: string; recipient: string; raw: Buffer }[] = []
    await using bench = await openBench({
      deliver: async (message) => void delivered.push(message),
    })
    const { key } = await readyToSend(bench)
    const { json, headers, status } = await send(bench, key, {
      headers: { 'X-Mark': 'yes', 'x-ms-acsemail-validate-message-id': 'true' },
      replyTo: [{ address: 'lee@a.example' }],
      content: { subject: 'Grüße', plainText: 'plain', html: '<p>rich</p>' },
      attachments: [
        { name: 'a.txt', contentType: 'text/plain', contentInBase64: btoa('attached') },
      ],
    })
    assert.deepEqual([status, json.status], [202, 'Running'])
    assert.equal(
      headers.get('operation-location'),
      `${bench.azure.url}/emails/operations/${json.id}?api-version=${VERSION}`,
    )
    assert.equal((await outcomeOf(bench, key, String(json.id))).status, 'Succeeded')
    const [one, ...more] = delivered
    assert.ok(one && more.length === 0)
    assert.equal(one.envelopeSender, 'donotreply@a.example')
    assert.equal(one.recipient, 'kim@inbox.test')
    const mail = await PostalMime.parse(one.raw)
    assert.deepEqual(mail.from, { name: 'DoNotReply', address: 'DoNotReply@a.example' })
    assert.deepEqual(mail.to, [{ name: 'Kim', address: 'kim@inbox.test' }])
    assert.deepEqual([mail.subject, mail.text?.trim()], ['Grüße', 'plain'])
    assert.equal(mail.replyTo?.[0]?.address, 'lee@a.example')
    assert.equal(mail.attachments[0]?.filename, 'a.txt')
    const names = mail.headers.map(({ key: name }) => name)
    assert.ok(names.includes('x-mark') && !names.some((name) => name.startsWith('x-ms-acsemail')))
    assert.deepEqual(await dkimOf(bench, one.raw), ['pass a.example selector1-azurecomm-prod-net'])
  })

  test('goes to everyone once, and does not show those in bcc', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const list = (...names: string[]) => names.map((name) => ({ address: `${name}@inbox.test` }))
    const recipients = { to: list('a', 'b'), cc: list('c', 'A'), bcc: list('hidden') }
    const { json } = await send(bench, key, { recipients })
    await outcomeOf(bench, key, String(json.id))
    const [sent] = bench.azure.sent
    assert.deepEqual(sent?.to, [
      'A@inbox.test',
      'b@inbox.test',
      'c@inbox.test',
      'hidden@inbox.test',
    ])
    assert.ok(!sent.raw.toString().includes('hidden'))
  })

  test('keeps the Message-ID it was given, if that can be one and is new', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const wanted = '<1@a.example>'
    for (const id of [wanted, wanted, 'x']) {
      const { json } = await send(bench, key, { headers: { 'message-id': id } })
      await outcomeOf(bench, key, String(json.id))
    }
    const ids = await Promise.all(
      bench.azure.sent.map(async ({ raw }) => (await PostalMime.parse(raw)).messageId),
    )
    assert.equal(ids[0], wanted)
    for (const id of ids.slice(1)) assert.match(id!, /^<[0-9a-f-]{36}@a\.example>$/)
  })

  test('does not go to those on a list of the sender; to none of them is a failure', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const list = `${D}/suppressionLists/one`
    await bench.call('PUT', list, { properties: { listName: 'DoNotReply' } })
    const no = { properties: { email: 'No@inbox.test' } }
    await bench.call('PUT', `${list}/suppressionListAddresses/1`, no)
    const some = await send(bench, key, to('no@inbox.test', 'kim@inbox.test'))
    assert.equal((await outcomeOf(bench, key, String(some.json.id))).status, 'Succeeded')
    assert.deepEqual(bench.azure.sent[0]?.to, ['kim@inbox.test'])
    const none = await send(bench, key, to('no@inbox.test'))
    const outcome = await outcomeOf(bench, key, String(none.json.id))
    assert.equal(outcome.status, 'Failed')
    assert.equal(outcome.error.code, 'EmailDroppedAllRecipientsSuppressed')
    assert.equal(bench.azure.sent.length, 1)
  })
})

/**
 * The results of all signatures, keys looked up in what the emulator wants served, through the
 * aliases.
 */
async function dkimOf({ azure, dns }: Bench, raw: Buffer): Promise<string[]> {
  const served = new Map(azure.records.map(({ name, data }) => [name.replace(/\.$/, ''), data]))
  const options = {
    resolver: async (name: string) => {
      const [target] = dns.records!.get(`${name} CNAME`) ?? []
      const found = served.get(target ?? name)
      if (!found) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
      return found.map((value) => [value])
    },
  } as DKIMVerifyOptions
  const { results } = await dkimVerify(raw, options)
  return results.map((one) => `${one.status.result} ${one.signingDomain} ${one.selector}`)
}

type Event = {
  id: string
  eventType: string
  subject: string
  data: Record<string, string | undefined>
}

/** A webhook that keeps what it is told, and validates itself or does not. */
async function openWebhook(validates = true) {
  const events: Event[] = []
  const refusals = { left: 0 }
  const server = createServer(async (request, response) => {
    const [event] = JSON.parse(Buffer.concat(await Array.fromAsync(request)).toString()) as [Event]
    if (event.eventType === 'Microsoft.EventGrid.SubscriptionValidationEvent') {
      const validationResponse = validates ? event.data.validationCode : 'wrong'
      response.end(JSON.stringify({ validationResponse }))
    } else if (refusals.left-- > 0) {
      response.writeHead(503).end()
    } else {
      events.push(event)
      response.end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    events,
    refusals,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe('delivery reports', () => {
  test('are posted for each recipient, with what became of it', async () => {
    await using webhook = await openWebhook()
    await using bench = await openBench({
      isBouncing: (recipient) => recipient.endsWith('@bounces.test'),
      deliver: async ({ recipient }) => {
        if (recipient.startsWith('gone')) throw new Error('550 5.1.1 Gone')
      },
    })
    const { key } = await readyToSend(bench)
    await bench.azure.subscribe(webhook.url)
    const { json } = await send(
      bench,
      key,
      to('kim@inbox.test', 'a@bounces.test', 'gone@inbox.test'),
    )
    await bench.azure[Symbol.asyncDispose]()
    const told = webhook.events.map(({ data }) => [data.recipient, data.status])
    assert.deepEqual(Object.fromEntries(told), {
      'kim@inbox.test': 'Delivered',
      'a@bounces.test': 'Bounced',
      'gone@inbox.test': 'Bounced',
    })
    const dates = new Set<string>()
    for (const { data, subject } of webhook.events) {
      assert.equal(data.messageId, String(json.id))
      assert.equal(data.sender, MESSAGE.senderAddress)
      assert.match(data.internetMessageId!, /^<.*@a\.example>$/)
      assert.equal(subject, `sender/${MESSAGE.senderAddress}/message/${json.id}`)
      for (const name of Object.keys(data).filter((one) => /^deliveryAttempt/.test(one))) {
        dates.add(name)
      }
    }
    assert.deepEqual([...dates].sort(), ['deliveryAttemptTimeStamp', 'deliveryAttemptTimestamp'])
  })

  test('come on demand, repeated with the same id, and again when they were refused', async () => {
    await using webhook = await openWebhook()
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const { json } = await send(bench, key)
    await outcomeOf(bench, key, String(json.id))
    await bench.azure.subscribe(webhook.url)
    const statuses: DeliveryStatus[] = ['Bounced', 'Quarantined']
    for (const status of statuses) {
      await bench.azure.reportDelivery(String(json.id), status, { times: 2 })
    }
    const ids = webhook.events.map(({ id }) => id)
    assert.equal(ids.length, 4)
    assert.equal(new Set(ids).size, 2)
    webhook.refusals.left = 2
    await bench.azure.reportDelivery(String(json.id), 'Failed', { recipient: 'lee@inbox.test' })
    assert.equal(webhook.events.at(-1)?.data.recipient, 'lee@inbox.test')
    webhook.refusals.left = 3
    await assert.rejects(bench.azure.reportDelivery(String(json.id), 'Failed'), /503/)
    await assert.rejects(bench.azure.reportDelivery('1', 'Failed'), /nothing was sent/)
  })

  test('are not posted to a webhook that does not validate', async () => {
    await using webhook = await openWebhook(false)
    await using bench = await openBench()
    await assert.rejects(bench.azure.subscribe(webhook.url), /did not validate/)
    const { key } = await readyToSend(bench)
    await send(bench, key)
    await bench.azure[Symbol.asyncDispose]()
    assert.deepEqual(webhook.events, [])
  })
})
