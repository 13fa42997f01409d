/** Mail as the outside world really sends it, over SMTP: odd addresses, headers and sizes. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SANDBOX } from '#sandbox/names.ts'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { sendMail, sendOctets, smtpReply } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

async function addInbox(domainId: string, email_prefix: string): Promise<Json> {
  const inbox = { domain_id: domainId, email_prefix, display_name: email_prefix }
  return (await client.post('/sender-accounts/coldsend-native', inbox)).body
}

let acme: Json
before(async () => {
  acme = await client.addActive('acme.test')
  await addInbox(acme.domain_id, 'kim')
  await addInbox(acme.domain_id, 'lee')
})

const KIM = ['kim@acme.test']
let sent = 0
/** A message of its own subject, by which it is found. */
async function send(fields: string, body = 'Hello', sender = 'ann@inbox.test') {
  const subject = `message ${++sent}`
  const raw = Buffer.from(`Subject: ${subject}\r\n${fields}\r\n\r\n${body}\r\n`, 'latin1')
  const code = await sendOctets(house.smtp, KIM, raw, { sender, from: SANDBOX.postboxAddress })
  return { subject, code, conversation: await conversationOf(subject) }
}

async function conversationOf(subject: string): Promise<Json | undefined> {
  const { conversations } = (await client.get('/replies?limit=100')).body
  return conversations.find((each: Json) => each.subject === subject)
}

/** The header section of the one message to an address that was kept last. */
async function lastKept(): Promise<string> {
  const { receivedOctets } = await import('#store/messages.ts')
  const row = await store.db
    .selectFrom('messages as m')
    .innerJoin('message_contents as c', 'c.id', 'm.content_id')
    .select(['m.trace', 'c.encoding', 'c.content'])
    .orderBy('m.id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return receivedOctets(row).toString('latin1')
}

describe('recipients', () => {
  test('of an internationalized domain receive, in A-labels as in U-labels', async () => {
    const { domain_id } = await client.addActive('bücher.test')
    await addInbox(domain_id, 'kim')
    assert.equal(await smtpReply(house.smtp, 'kim@xn--bcher-kva.test'), 250)
    assert.equal(await smtpReply(house.smtp, 'kim@XN--BCHER-KVA.test'), 250)
    assert.equal(await smtpReply(house.smtp, 'kim@bücher.test'), 250)
    assert.equal(await smtpReply(house.smtp, 'lee@bücher.test'), 550)
  })

  test('a domain is proven by a message that returns to the domain itself', async () => {
    const { recipient } = await store.db
      .selectFrom('probes')
      .select('recipient')
      .where('domain_id', '=', acme.domain_id)
      .executeTakeFirstOrThrow()
    assert.match(recipient, /^probe-[0-9a-f]{32}@acme\.test$/)
    assert.equal(
      await smtpReply(house.smtp, 'probe-00000000000000000000000000000000@acme.test'),
      550,
    )
  })

  const ANSWERS: [recipient: string, code: number][] = [
    ['postmaster', 250],
    ['Postmaster', 250],
    ['postmaster@mx.mailstead.test', 250],
    ['abuse@MX.mailstead.test', 250],
    ['kim@mx.mailstead.test', 550],
    ['postmaster@acme.test', 250],
    ['abuse@acme.test', 250],
    ['KIM@ACME.TEST', 250],
    ['kim+news@acme.test', 250],
    ['kim+@acme.test', 250],
    ['+kim@acme.test', 550],
    ['"kim"@acme.test', 250],
    ['"k\\im"@acme.test', 250],
    ['"joe"@acme.test', 550],
    ['joe@acme.test', 550],
    ['joe+kim@acme.test', 550],
    ['kim@nowhere.test', 550],
    ['kim@[127.0.0.1]', 550],
    ['@relay.test:kim@acme.test', 250],
  ]
  for (const [recipient, code] of ANSWERS) {
    test(`<${recipient}> is answered ${code}`, async () => {
      assert.equal(await smtpReply(house.smtp, recipient), code)
    })
  }

  test('mail to the postmaster of this installation is kept, and shown to no customer', async () => {
    const raw = 'From: ann@inbox.test\r\nSubject: Your server\r\n\r\nHello\r\n'
    assert.equal(await sendMail(house.smtp, ['postmaster'], raw), 250)
    assert.match(await lastKept(), /Subject: Your server/)
    assert.equal(await conversationOf('Your server'), undefined)
  })

  test('two addresses of one mailbox receive one copy', async () => {
    const raw = 'From: ann@inbox.test\r\nSubject: once\r\n\r\nHello\r\n'
    assert.equal(await sendMail(house.smtp, ['kim@acme.test', 'kim+a@acme.test'], raw), 250)
    const rows = await store.db
      .selectFrom('messages')
      .select('id')
      .where('subject', '=', 'once')
      .execute()
    assert.equal(rows.length, 1)
  })

  test('many recipients share one stored content', async () => {
    const raw = `From: ann@inbox.test\r\nSubject: shared\r\n\r\n${'a line\r\n'.repeat(1000)}`
    assert.equal(await sendMail(house.smtp, ['kim@acme.test', 'lee@acme.test'], raw), 250)
    const rows = await store.db
      .selectFrom('messages')
      .select('content_id')
      .where('subject', '=', 'shared')
      .execute()
    assert.equal(rows.length, 2)
    assert.equal(new Set(rows.map(({ content_id }) => content_id)).size, 1)
  })
})

describe('the author', () => {
  test('a conversation is shown with its author, and with what was found out about its last message', async () => {
    const { conversation } = await send('From: Ann <ann@inbox.test>')
    assert.equal(conversation?.lead_email, 'ann@inbox.test')
    assert.deepEqual(conversation?.authentication, { spf: 'pass', dkim: 'none', dmarc: 'pass' })
    await client.sandbox('POST', '/mail', {
      from: 'ceo@inbox.test',
      to: 'kim@acme.test',
      subject: 'forged',
      authentic: false,
    })
  })

  // biome-ignore format: a table
  const AUTHORS: [what: string, fields: string, author: string, dmarc: RegExp][] = [
    ['no From', 'X-A: b', '', /none/],
    ['two From fields', 'From: ann@inbox.test\r\nFrom: bob@inbox.test', '', /none|permerror/],
    ['several mailboxes', 'From: ann@inbox.test, bob@inbox.test', '', /permerror/],
    ['an empty group name', 'From: : x@inbox.test', '', /permerror/],
    ['a group', 'From: all: x@inbox.test;', '', /permerror/],
    ['an empty address', 'From: <>', '', /none/],
    ['an address as a name', 'From: "ceo@bank.test" <ann@inbox.test>', 'ann@inbox.test', /pass/],
    ['capitals', 'From: Ann@INBOX.test', 'ann@inbox.test', /pass/],
    ['an encoded name', 'From: =?utf-8?q?Ann?= <ann@inbox.test>', 'ann@inbox.test', /pass/],
    ['a folded field', 'From: Ann\r\n <ann@inbox.test>', 'ann@inbox.test', /pass/],
    ['a comment', 'From: ann@inbox.test (ceo@bank.test)', 'ann@inbox.test', /pass/],
    ['a NUL in it', 'From: a\0nn@inbox.test', '', /permerror/],
    ['another domain', 'From: ceo@bank.test', 'ceo@bank.test', /none|fail/],
  ]
  for (const [what, fields, author, dmarc] of AUTHORS) {
    test(`with ${what} is ${author || 'nobody'}`, async () => {
      const { code, conversation } = await send(fields)
      assert.equal(code, 250)
      assert.equal(conversation?.lead_email, author)
      assert.match(conversation?.authentication.dmarc, dmarc)
      if (author === '') assert.notEqual(conversation?.authentication.dmarc, 'pass')
    })
  }
})

describe('conversations', () => {
  test('are joined by their correspondent, and by nobody else who refers to them', async () => {
    const first = await send('From: ann@inbox.test\r\nMessage-ID: <root@inbox.test>')
    const refers = 'References: <root@inbox.test>\r\nIn-Reply-To: <root@inbox.test>'
    const again = await send(`From: ann@inbox.test\r\n${refers}`)
    assert.equal(again.conversation, undefined, 'it has the subject of the first')
    const stranger = await send(`From: eve@elsewhere.test\r\n${refers}`)
    assert.equal(stranger.conversation?.lead_email, 'eve@elsewhere.test')
    assert.notEqual(stranger.conversation?.thread_id, first.conversation?.thread_id)
  })

  test('nor by a forger with the name of the correspondent', async () => {
    const first = await send('From: ann@inbox.test\r\nMessage-ID: <mine@inbox.test>')
    const raw =
      'From: ann@inbox.test\r\nSubject: forgery\r\nIn-Reply-To: <mine@inbox.test>\r\n\r\nPay me\r\n'
    const forged = raw.replace(
      '\r\n\r\n',
      '\r\nDKIM-Signature: v=1; a=rsa-sha256; d=inbox.test; s=x; h=from; bh=AAAA; b=AAAA\r\n\r\n',
    )
    await sendMail(house.smtp, KIM, forged, 'eve@elsewhere.test')
    const shown = await conversationOf('forgery')
    assert.equal(shown?.authentication.dmarc, 'fail')
    assert.notEqual(shown?.thread_id, first.conversation?.thread_id)
    const kept = await conversationOf(first.subject)
    assert.doesNotMatch(kept?.last_message_preview, /Pay me/)
  })

  for (const field of ['Message-ID', 'References', 'In-Reply-To']) {
    test(`of messages whose ${field} is thousands of characters long are kept`, async () => {
      const { code, conversation } = await send(
        `From: ann@inbox.test\r\n${field}: <${'x'.repeat(9000)}@inbox.test>`,
      )
      assert.deepEqual([code, conversation?.lead_email], [250, 'ann@inbox.test'])
    })
  }

  test('show text without what changes how it is read', async () => {
    const { conversation } = await send('From: ann@inbox.test', 'pay\u0000 \x1b[31mme\x07 \x7fnow')
    assert.equal(conversation?.last_message_preview, 'pay [31mme now')
    const long = await send('From: ann@inbox.test', 'word '.repeat(100_000))
    assert.equal(long.conversation?.last_message_preview.length <= 200, true)
  })
})

describe('results that claim to be ours', () => {
  const HOST = 'mx.mailstead.test'
  const FORGED = [
    `Authentication-Results: ${HOST}; dmarc=pass`,
    `Authentication-Results: ${HOST.toUpperCase()}; dmarc=pass`,
    `AUTHENTICATION-RESULTS : ${HOST}; dmarc=pass`,
    `Authentication-Results: (x) ${HOST}; dmarc=pass`,
    `Authentication-Results: (x (y) \\) ;) ${HOST}; dmarc=pass`,
    `Authentication-Results: "${HOST}"; dmarc=pass`,
    `Authentication-Results: "mx.mail\\stead.test"; dmarc=pass`,
    `Authentication-Results:\r\n\t${HOST}\r\n ; dmarc=pass`,
    `Authentication-Results: ${HOST} 1; dmarc=pass`,
    `Authentication-Results: ${HOST}.; dmarc=pass`,
    `Authentication-Results: (open ${HOST}; dmarc=pass`,
  ]
  for (const field of FORGED) {
    test(`are removed: ${JSON.stringify(field)}`, async () => {
      assert.equal((await send(`From: ann@inbox.test\r\n${field}`)).code, 250)
      const [head = ''] = (await lastKept()).split('\r\n\r\n')
      assert.equal(head.match(/authentication-results/gi)?.length, 1)
      assert.match(
        head,
        /^Return-Path: <ann@inbox\.test>\r\nAuthentication-Results: mx\.mailstead\.test;\r\n spf=pass/,
      )
    })
  }

  test('and those of others stay, wherever they mention us', async () => {
    await send(
      `From: ann@inbox.test\r\nAuthentication-Results: mx.other.test; dkim=pass (${HOST})\r\nX-Results: ${HOST}; pass`,
    )
    const kept = await lastKept()
    assert.match(kept, /mx\.other\.test; dkim=pass/)
    assert.match(kept, /X-Results/)
  })
})

describe('what no receiver could read alike', () => {
  const BARE = [
    'a bare LF\nin it',
    'a bare CR\rin it',
    'the end\n.\r\nof another',
    'both\n\rways',
    'a last CR\r',
  ]
  for (const body of BARE) {
    test(`is refused: ${JSON.stringify(body)}`, async () => {
      assert.equal((await send('From: ann@inbox.test', body)).code, 554)
    })
  }

  test('as are results hidden behind a bare LF', async () => {
    const { code } = await send(
      'From: ann@inbox.test\nAuthentication-Results: mx.mailstead.test; dmarc=pass',
    )
    assert.equal(code, 554)
  })
})
