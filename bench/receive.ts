/**
 * How many signed messages a second are judged and kept, beside Postfix with OpenDKIM, which verifies,
 * queues and delivers to a mailbox; of Postfix only the acceptance counts. Both write to the disk.
 * Mailstead also checks SPF and DMARC, which Postfix here does not.
 */
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compose } from '#mail/outgoing/compose.ts'
import { sign } from '#mail/outgoing/sign.ts'
import { MailWorkers } from '#mail/workers/mail-workers.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { ensureCertificate } from '#runtime/data-directory.ts'
import { openInbound } from '#runtime/roles/smtp.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { newDomain, newInbox } from '../test/domains-in-store.ts'
import { figure, target } from './figures.ts'
import { sendBySource, startReceiver, whyNoPostfix } from './postfix.ts'
import { openStore } from './store.ts'

const MESSAGES = 3000
const BEFORE = 300
const TEXT_OCTETS = 5000
const SESSIONS = [20, 100]
const SENDER = { localpart: 'kim', domain: 'sender.test', selector: 'bench' }
const MAIL_HOST = 'mx.bench.test'

export async function receive(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const { privateKey, publicKey } = keyPair()
  const file = join(path, 'message.eml')
  // smtp-source ends lines with CRLF itself.
  const message = (await signedMessage(privateKey)).toString('latin1').replaceAll('\r\n', '\n')
  await writeFile(file, message, 'latin1')
  const ours = await openOurs(opened, path, publicKey)
  const to = 'ann@bench.test'
  const from = `${SENDER.localpart}@${SENDER.domain}`
  figure(`receive: ${MESSAGES} signed messages of ${TEXT_OCTETS} octets, judged and kept`)
  const rateOf = async (name: string, port: number, sessions: number) => {
    signal.throwIfAborted()
    await sendBySource(port, { from, to, file, sessions, messages: BEFORE })
    const began = performance.now()
    await sendBySource(port, { from, to, file, sessions, messages: MESSAGES })
    const rate = (1000 * MESSAGES) / (performance.now() - began)
    figure(`${`${name}, ${sessions} sessions`.padEnd(32)}${rate.toFixed(0).padStart(6)} a second`)
    return rate
  }
  const why = whyNoPostfix()
  for (const sessions of SESSIONS) {
    const rate = await rateOf('mailstead', ours.port, sessions)
    await ours.checkKept()
    if (why !== undefined) continue
    const name = `${SENDER.selector}._domainkey.${SENDER.domain}`
    await using postfix = await startReceiver(to, { name, publicKey })
    const theirs = await rateOf('postfix', postfix.port, sessions)
    figure(`mailstead / postfix, ${sessions} sessions: ${(rate / theirs).toFixed(2)}`)
    target(`at least as fast with ${sessions} sessions`, rate >= theirs)
  }
  if (why !== undefined) figure(`no Postfix with OpenDKIM to compare with: ${why}`)
}

function keyPair() {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { privateKey, publicKey }
}

async function signedMessage(privateKey: string): Promise<Buffer> {
  const { localpart, domain, selector } = SENDER
  const { content } = await compose(
    {
      origin: 'test',
      author: { localpart, displayName: 'Kim' },
      recipient: 'ann@bench.test',
      subject: 'Hello',
      text: 'a line of text, as people write them in letters\n'.repeat(TEXT_OCTETS / 48),
    },
    domain,
  )
  return sign(content, domain, { selector, privateKey, publicKey: '' })
}

/** Our listener's resolver: all other names do not exist. */
function resolverWith(publicKey: string): Resolver {
  const texts: Record<string, string> = {
    [SENDER.domain]: 'v=spf1 ip4:127.0.0.1 -all',
    [`_dmarc.${SENDER.domain}`]: 'v=DMARC1; p=reject',
    [`${SENDER.selector}._domainkey.${SENDER.domain}`]: `v=DKIM1; k=rsa; p=${publicKey}`,
  }
  return {
    async resolve(name, type) {
      const text = type === 'TXT' ? texts[name.replace(/\.$/, '')] : undefined
      if (text === undefined) return { rcode: 'NXDOMAIN', records: [] }
      const strings = text.match(/.{1,200}/g)!.map((each) => `"${each}"`)
      return { rcode: 'NOERROR', records: [{ name, type, ttl: 60, data: strings.join(' ') }] }
    },
  } as Resolver
}

async function openOurs(opened: AsyncDisposableStack, path: string, publicKey: string) {
  const store = await openStore(opened)
  const claim = await newDomain(store, 'bench.test')
  await newInbox(store, claim, 'ann')
  const resolver = resolverWith(publicKey)
  const world = { name: 'live', resolver, platform: { mailHost: MAIL_HOST, probeHost: 'x.test' } }
  const config = {
    databaseUrl: 'none',
    smtpListen: [{ address: '127.0.0.1', port: 0 }],
    mailHost: MAIL_HOST,
    quotaPerInboxMb: 0,
    quotaPerDomainMb: 0,
    quotaPerWorkspaceMb: 0,
  }
  const onError = (error: unknown) => console.error(error)
  const tls = await ensureCertificate(path, MAIL_HOST)
  const runtime = { config, store, tls, opened, onError }
  const workers = opened.use(new MailWorkers())
  const worlds = new Map([['live', world]])
  const [listener] = await openInbound(runtime as never, worlds as never, workers)
  let kept = 0
  return {
    port: listener!.port,
    /** Checks that all messages have arrived, and passed. */
    async checkKept() {
      kept += BEFORE + MESSAGES
      const { count } = await store.db
        .selectFrom('messages')
        .select((e) => e.fn.countAll<string>().as('count'))
        .where(
          'authentication',
          '@>',
          JSON.stringify({ dkim: { result: 'pass' }, dmarc: { result: 'pass' } }) as never,
        )
        .executeTakeFirstOrThrow()
      if (Number(count) !== kept) throw new Error(`${count} of ${kept} messages are kept and pass`)
    },
  }
}
