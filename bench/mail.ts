/**
 * How many messages a second are accepted, queued, signed and transferred to a sink on loopback, beside
 * Postfix with OpenDKIM, with equally many incoming sessions. Postgres and Postfix write to the disk.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { compose } from '#mail/outgoing/compose.ts'
import { MailWorkers } from '#mail/workers/mail-workers.ts'
import { ensureCertificate } from '#runtime/data-directory.ts'
import { openOutgoing } from '#runtime/roles/mail-queue.ts'
import { acceptMessage } from '#store/accept-messages.ts'
import type { StoreContext } from '#store/context.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { type Claim, NO_LIMITS, newDomain } from '../test/domains-in-store.ts'
import { figure } from './figures.ts'
import { sendBySource, startSender, whyNoPostfix } from './postfix.ts'
import { openStore } from './store.ts'

const MESSAGES = 5000
const ACCEPTED_AT_ONCE = 20
const TEXT_OCTETS = 5500
/** A warm-up: starts processes, opens sessions and compiles code. */
const BEFORE = 500

export async function mail(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const certificate = await certificateIn(path)
  const sink = opened.use(await startSink())
  const sinkWithTls = opened.use(await startSink(certificate))
  const { store, claim, workers } = await ours(opened)
  figure(`mail: ${MESSAGES} messages of ${TEXT_OCTETS} octets, signed, to a sink on loopback`)
  const rates = new Map<string, number>()
  const measure = async (name: string, to: Sink, send: (count: number) => Promise<void>) => {
    await relayed(to, BEFORE, send)
    const rate = await relayed(to, MESSAGES, send)
    rates.set(name, rate)
    figure(`${name.padEnd(32)}${rate.toFixed(0).padStart(6)} a second`)
  }
  const accept = (count: number) => acceptMany(store, claim, count, signal)
  for (const [name, to] of [
    ['mailstead', sink],
    ['mailstead, STARTTLS', sinkWithTls],
  ] as const) {
    await using queue = new AsyncDisposableStack()
    openQueue(queue, store, workers, to)
    await measure(name, to, accept)
  }
  const why = whyNoPostfix()
  if (why !== undefined) return figure(`no Postfix with OpenDKIM to compare with: ${why}`)
  for (const [name, to] of [
    ['postfix', sink],
    ['postfix, STARTTLS', sinkWithTls],
  ] as const) {
    await using postfix = await startSender(claim.name, to.port)
    const from = `kim@${claim.name}`
    await measure(name, to, (messages) =>
      sendBySource(postfix.port, {
        from,
        to: 'ann@sink.test',
        messages,
        sessions: ACCEPTED_AT_ONCE,
        octets: TEXT_OCTETS,
      }),
    )
  }
  for (const kind of ['', ', STARTTLS'])
    figure(`mailstead / postfix${kind}: ${ratio(rates, `mailstead${kind}`, `postfix${kind}`)}`)
}

const ratio = (rates: ReadonlyMap<string, number>, one: string, other: string): string =>
  (rates.get(one)! / rates.get(other)!).toFixed(2)

/** Messages a second, until the last one arrived. */
async function relayed(
  sink: Sink,
  count: number,
  send: (count: number) => Promise<void>,
): Promise<number> {
  const before = sink.count
  const began = performance.now()
  await send(count)
  await sink.until(before + count)
  return (1000 * count) / (performance.now() - began)
}

async function certificateIn(path: string): Promise<[cert: string, key: string]> {
  const { cert, key } = await ensureCertificate(path, 'sink.test')
  const paths: [string, string] = [join(path, 'cert.pem'), join(path, 'key.pem')]
  await Promise.all([writeFile(paths[0], cert), writeFile(paths[1], key)])
  return paths
}

type Sink = AsyncDisposable & {
  port: number
  until(count: number): Promise<void>
  count: number
}

async function startSink(certificate: readonly string[] = []): Promise<Sink> {
  const args = [join(import.meta.dirname, 'mail-sink.ts'), ...certificate]
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout! })
  const [port] = (await once(lines, 'line')) as [string]
  const sink = {
    port: Number(port),
    count: 0,
    async until(count: number) {
      while (sink.count < count) await once(lines, 'line')
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
  lines.on('line', (line) => {
    sink.count = Number(line)
  })
  return sink
}

async function ours(opened: AsyncDisposableStack) {
  const store = await openStore(opened)
  return {
    store,
    claim: await newDomain(store, 'bench.test'),
    workers: opened.use(new MailWorkers()),
  }
}

/** Sends everything to the sink. */
function openQueue(
  opened: AsyncDisposableStack,
  store: StoreContext,
  workers: MailWorkers,
  { port }: Sink,
): void {
  const smarthost = { host: '127.0.0.1', port, secure: false, credentials: undefined }
  const world = { name: 'live', platform: { mailHost: 'mx.bench.test' }, mayConnect: () => true }
  const runtime = {
    store,
    opened,
    onError: (error: unknown) => console.error(error),
    config: { smtpSourceAddresses: [], smarthost },
  }
  const worlds = new Map([['live', world]])
  openOutgoing({ runtime, workers, worlds, accounts: {} } as never)
}

async function acceptMany(
  store: StoreContext,
  claim: Claim,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  let left = count
  const acceptSome = async () => {
    while (left-- > 0) {
      signal.throwIfAborted()
      const author = { localpart: 'kim', displayName: 'Kim' }
      const text = 'a line of text, as people write them in letters\n'.repeat(TEXT_OCTETS / 48)
      const recipient = `ann@sink${left % 20}.test`
      const message = await compose(
        { origin: 'test', author, recipient, subject: 'Hello', text },
        claim.name,
      )
      await acceptMessage(store, claim, message, {
        world: 'live',
        account: 'embedded',
        limits: NO_LIMITS,
      })
    }
  }
  await Promise.all(Array.from({ length: ACCEPTED_AT_ONCE }, acceptSome))
}
