/** Mail programs read the mail of inboxes whose mailbox service is Dovecot. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { implicitName, makeCertificate } from '../certificates.ts'
import { type Json, until } from '../client.ts'
import { type Directory, dataDirectory } from '../directories.ts'
import { DOVECOT, isRefused, mailProgram, WITHOUT_DOVECOT } from '../dovecot.ts'
import { type TestHouse, testHouse } from '../house.ts'
import { sendMail } from '../smtp.ts'
import { submitMail } from '../submission.ts'

const mail = (to: string, subject: string, text = 'Text') =>
  [
    'From: Ann <ann@inbox.test>',
    `To: ${to}`,
    `Subject: ${subject}`,
    `Message-ID: <${subject}@inbox.test>`,
    '',
    text,
    '',
  ].join('\r\n')
const lines = (octets: number) => `${'x'.repeat(70)}\r\n`.repeat(Math.ceil(octets / 72))

describe('IMAP', { skip: WITHOUT_DOVECOT ?? false }, () => {
  let directory: Directory
  let house: TestHouse
  let domain: Json
  before(async () => {
    directory = await dataDirectory()
    const settings = { MAILSTEAD_DATA_DIR: directory.path, MAILSTEAD_QUOTA_PER_INBOX_MB: '1' }
    house = await testHouse({ ...DOVECOT, ...settings })
    domain = await house.client.addActive('acme.test')
  })
  after(async () => {
    await house?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  async function addInbox(email_prefix: string, domain_id = domain.domain_id): Promise<Json> {
    const inbox = { domain_id, email_prefix, display_name: 'Kim Lee' }
    const { status, body } = await house.client.post('/sender-accounts/coldsend-native', inbox)
    assert.equal(status, 201)
    return body
  }
  const open = ({ credentials }: Json) => mailProgram(credentials.imap, credentials)
  const inMailbox = async (inbox: Json, folder = 'INBOX') => {
    await using program = await open(inbox)
    await program.mailboxOpen(folder)
    // Of an empty folder, `1:*` is refused.
    return program.mailbox && program.mailbox.exists > 0
      ? await program.fetchAll('1:*', { envelope: true, headers: true })
      : []
  }
  const arrived = (inbox: Json, subject: string) =>
    until(
      async () => (await inMailbox(inbox)).find(({ envelope }) => envelope?.subject === subject),
      (message) => message !== undefined,
    )
  const inPostgres = async (subject: string): Promise<boolean> =>
    JSON.stringify((await house.client.get('/replies?limit=100')).body).includes(subject)
  const send = async (inbox: Json, subject: string, text?: string) => {
    const { username } = inbox.credentials
    assert.equal(await sendMail(house.smtp, [username], mail(username, subject, text)), 250)
  }
  const copiesLeft = (inbox: Json) =>
    house.store.db
      .selectFrom('mailbox_copies')
      .select('id')
      .where('inbox_id', '=', inbox.inbox_id)
      .execute()
  const passwords = (inbox: Json) => `/sender-accounts/${inbox.inbox_id}/app-passwords`
  const folderOf = async (inbox: Json) => {
    const { id } = await house.store.db
      .selectFrom('claims')
      .select('id')
      .where('domain_id', '=', inbox.domain_id)
      .executeTakeFirstOrThrow()
    return join(directory.path, 'dovecot', 'mail', id, inbox.inbox_id)
  }

  test('the log-in of a new inbox names the server, and opens an empty mailbox', async () => {
    const kim = await addInbox('kim')
    assert.deepEqual(Object.keys(kim.credentials.imap), ['host', 'port', 'tls'])
    assert.equal(kim.credentials.imap.tls, 'implicit')
    assert.deepEqual(house.house.imap, [`127.0.0.1:${kim.credentials.imap.port}`])
    await using program = await open(kim)
    assert.equal((await program.mailboxOpen('INBOX')).exists, 0)
    const { body: made } = await house.client.post(passwords(kim), { name: 'Phone' })
    assert.deepEqual(made.imap, kim.credentials.imap)
    const response = await fetch(`${house.client.base}/api/public/v1/sender-accounts/export`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': house.client.key! },
      body: JSON.stringify({ inbox_ids: [kim.inbox_id] }),
    })
    assert.match(await response.text(), new RegExp(`,${kim.credentials.imap.port},implicit`))
    for (const secret of [kim.credentials.password, made.password])
      assert.equal(
        house.logLines.some((line) => line.includes(secret)),
        false,
      )
  })

  test('a mail program that waits hears of a new message', async () => {
    const ida = await addInbox('ida')
    await using program = await open(ida)
    await program.mailboxOpen('INBOX')
    const heard = once(program, 'exists')
    const idle = program.idle()
    const startedAt = performance.now()
    await send(ida, 'waits')
    await heard
    assert.ok(performance.now() - startedAt < 3000)
    const [message] = await program.fetchAll('1:*', { envelope: true, headers: true })
    await idle
    assert.equal(message!.envelope!.subject, 'waits')
    assert.match(String(message!.headers), /^X-Mailstead-Id: [0-9a-f-]{36}\r\n/im)
    assert.match(String(message!.headers), /^Return-Path: <stranger@inbox.test>\r\n/im)
    assert.doesNotMatch(String(message!.headers), /^Delivered-To:/im)
    assert.ok(await inPostgres('waits'))
    assert.deepEqual(await copiesLeft(ida), [])
  })

  test('wrong log-ins are refused, and passwords of other inboxes', async () => {
    const [lea, leo] = [await addInbox('lea'), await addInbox('leo')]
    const { imap, ...logIn } = lea.credentials
    const refused = [
      { password: 'hunter2' },
      { password: `${logIn.password.slice(0, -1)}${logIn.password.endsWith('a') ? 'b' : 'a'}` },
      { password: logIn.password.slice(0, 8) },
      { password: logIn.password.toUpperCase() },
      { password: leo.credentials.password },
      { username: 'leo@acme.test' },
      { username: 'lea' },
      { username: 'nobody@acme.test' },
      { username: `${lea.inbox_id}@acme.test` },
    ].map((change) => isRefused(imap, { ...logIn, ...change }))
    assert.deepEqual(
      await Promise.all(refused),
      refused.map(() => true),
    )
    assert.equal(await isRefused(imap, { ...logIn, username: 'LEA@Acme.test' }), false)
  })

  test('a revoked password ends its sessions and is refused', async () => {
    const max = await addInbox('max')
    const { body: made } = await house.client.post(passwords(max), { name: 'Phone' })
    await using program = await mailProgram(made.imap, made)
    const closed = once(program, 'close')
    const path = `${passwords(max)}/${made.password_id}`
    assert.equal((await house.client.delete(path)).status, 200)
    assert.equal(await isRefused(made.imap, made), true)
    await closed
    assert.equal(await isRefused(made.imap, max.credentials), false)
  })

  test('a password that has expired is refused', async () => {
    const eva = await addInbox('eva')
    const expires_at = new Date(Date.now() + 60_000).toISOString()
    const { body: made } = await house.client.post(passwords(eva), { name: 'Short', expires_at })
    assert.equal(await isRefused(made.imap, made), false)
    await house.store.db
      .updateTable('app_passwords')
      .set({ expires_at: new Date(Date.now() - 1000) })
      .where('id', '=', made.password_id)
      .execute()
    assert.equal(await isRefused(made.imap, made), true)
  })

  test('the folders for sent, drafts, junk, trash and archive are there', async () => {
    await using program = await open(await addInbox('folders'))
    const folders = (await program.list()).map(({ path, specialUse }) => [path, specialUse])
    assert.deepEqual(folders.toSorted(), [
      ['Archive', '\\Archive'],
      ['Drafts', '\\Drafts'],
      ['INBOX', '\\Inbox'],
      ['Junk', '\\Junk'],
      ['Sent', '\\Sent'],
      ['Trash', '\\Trash'],
    ])
    const { storage } = (await program.getQuota('INBOX')) as Json
    assert.equal(storage.limit, 2 ** 20)
  })

  test('a mail program answers, and files what it sent', async () => {
    const tom = await addInbox('tom')
    await send(tom, 'question')
    const question = await arrived(tom, 'question')
    const answer = {
      from: 'tom@acme.test',
      to: 'ann@inbox.test',
      subject: 'Re: question',
      inReplyTo: question!.envelope!.messageId!,
      text: 'Answer',
    }
    await submitMail(house.house.submission.implicitTls[0]!, true, tom.credentials, answer)
    await until(
      async () => (await house.client.sandbox('GET', '/mail?to=ann@inbox.test')).body.messages,
      (messages: Json[]) => messages.length > 0,
    )
    await using program = await open(tom)
    const filed = await program.append('Sent', mail('ann@inbox.test', 'sent'), ['\\Seen'])
    assert.ok(filed)
    assert.equal((await inMailbox(tom, 'Sent')).length, 1)
  })

  test('a message that a mail program deletes stays in its conversation', async () => {
    const una = await addInbox('una')
    await send(una, 'deleted-there')
    await arrived(una, 'deleted-there')
    await using program = await open(una)
    await program.mailboxOpen('INBOX')
    await program.messageDelete('1:*')
    assert.equal((await inMailbox(una)).length, 0)
    assert.ok(await inPostgres('deleted-there'))
  })

  test('a second attempt finds what the first handed over, wherever it was moved', async () => {
    const amy = await addInbox('amy')
    await send(amy, 'once')
    const message = await arrived(amy, 'once')
    const [, id] = /^X-Mailstead-Id: (\S+)/im.exec(String(message!.headers)) ?? []
    await using program = await open(amy)
    await program.mailboxOpen('INBOX')
    await program.messageMove('1', 'Archive')
    const again = { id: id!, inbox_id: amy.inbox_id, epoch: '1' }
    await house.store.db.insertInto('mailbox_copies').values(again).execute()
    await until(
      () => copiesLeft(amy),
      (left) => left.length === 0,
    )
    assert.equal((await inMailbox(amy)).length, 0)
    assert.equal((await inMailbox(amy, 'Archive')).length, 1)
  })

  test('a mailbox that is full takes no more, and the message stays in its conversation', async () => {
    const full = await addInbox('full')
    await using program = await open(full)
    await program.append('Archive', mail('full@acme.test', 'large', lines(900_000)))
    await send(full, 'too-much', lines(300_000))
    await until(
      () =>
        house.store.db
          .selectFrom('mailbox_copies')
          .select('failures')
          .where('inbox_id', '=', full.inbox_id)
          .execute(),
      ([left]) => left?.failures === 1,
    )
    assert.ok(await inPostgres('too-much'))
    await program.mailboxOpen('Archive')
    await program.messageDelete('1:*')
    await house.store.db
      .updateTable('mailbox_copies')
      .set({ next_at: new Date(0) })
      .where('inbox_id', '=', full.inbox_id)
      .execute()
    await arrived(full, 'too-much')
  })

  test('a deleted inbox is refused, its sessions end, and its mail is gone', async () => {
    const [gone, kept] = [await addInbox('gone'), await addInbox('kept')]
    for (const inbox of [gone, kept]) {
      await send(inbox, `to-${inbox.inbox_id}`)
      await arrived(inbox, `to-${inbox.inbox_id}`)
    }
    const folder = await folderOf(gone)
    assert.ok(existsSync(folder))
    await using program = await open(gone)
    const closed = once(program, 'close')
    assert.equal((await house.client.delete(`/sender-accounts/${gone.inbox_id}`)).status, 200)
    await closed
    await until(
      async () => existsSync(folder),
      (isThere) => !isThere,
    )
    assert.equal(await isRefused(gone.credentials.imap, gone.credentials), true)
    assert.ok(existsSync(await folderOf(kept)))
    // As by a message that was on its way.
    const { id } = await house.store.db
      .selectFrom('messages')
      .select('id')
      .where('subject', '=', `to-${gone.inbox_id}`)
      .executeTakeFirstOrThrow()
    mkdirSync(folder)
    await house.store.db
      .insertInto('mailbox_copies')
      .values({ id, inbox_id: gone.inbox_id })
      .execute()
    await until(
      async () => existsSync(folder),
      (isThere) => !isThere,
    )
    const again = await until(
      () => house.client.post('/sender-accounts/coldsend-native', namesake(gone)),
      ({ status }) => status === 201,
    )
    assert.deepEqual(await inMailbox(again.body), [])
  })
  const namesake = ({ domain_id }: Json) => ({
    domain_id,
    email_prefix: 'gone',
    display_name: 'Kim Lee',
  })

  test('the mail of a deleted domain is gone', async () => {
    const { domain_id } = await house.client.addActive('brief.test')
    const inbox = await addInbox('kim', domain_id)
    await send(inbox, 'brief')
    await arrived(inbox, 'brief')
    const folder = join(await folderOf(inbox), '..')
    assert.ok(existsSync(folder))
    assert.equal((await house.client.delete(`/domains/${domain_id}`)).status, 200)
    assert.equal(await isRefused(inbox.credentials.imap, inbox.credentials), true)
    await house.client.undelegate('brief.test')
    await until(
      async () => existsSync(folder),
      (isThere) => !isThere,
    )
  })

  test('Dovecot is started again after a kill; mail comes in meanwhile, and reaches the mailbox', async () => {
    const ben = await addInbox('ben')
    const pid = Number.parseInt(
      readFileSync(join(directory.path, 'dovecot', 'dovecot.pid'), 'utf8'),
      10,
    )
    process.kill(pid, 'SIGKILL')
    await send(ben, 'meanwhile')
    assert.ok(await inPostgres('meanwhile'))
    await until(
      () => arrivedOnce(ben),
      (isThere) => isThere,
    )
  })
  /** False while nobody answers. */
  const arrivedOnce = async (inbox: Json): Promise<boolean> => {
    const found = await inMailbox(inbox).catch(() => [])
    return found.some(({ envelope }) => envelope?.subject === 'meanwhile')
  }
})

test('Dovecot shows the renewed certificate to new sessions', {
  skip: WITHOUT_DOVECOT ?? false,
}, async () => {
  await using directory = await dataDirectory()
  const [cert, key] = [join(directory.path, 'mail.pem'), join(directory.path, 'mail.key')]
  const write = async (name: string) => {
    const made = await makeCertificate(name)
    writeFileSync(cert, made.cert)
    writeFileSync(key, made.key)
  }
  await write('mx.one.test')
  await using house = await testHouse({
    ...DOVECOT,
    MAILSTEAD_TLS_CERT: cert,
    MAILSTEAD_TLS_KEY: key,
  })
  const [server] = house.house.imap
  assert.equal(await implicitName(server!), 'mx.one.test')
  await write('mx.two.test')
  await until(
    () => implicitName(server!),
    (name) => name === 'mx.two.test',
  )
})
