/**
 * How many messages a second are accepted, queued, signed and transferred to a sink on loopback. Postgres writes
 * to the disk.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openDoorbell } from '#engine/doorbell.ts'
import { openOutgoing } from '#house/outgoing.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { MailWorkers } from '#mail/workers/mail-workers.ts'
import { ensureWorkspace, FIRST_WORKSPACE } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { startPostgres } from '#store/embedded-postgres.ts'
import { migrate } from '#store/migrate.ts'
import { acceptMessage } from '#store/outgoing-messages.ts'
import { senderStore } from '#store/sender-domains.ts'
import { openVault } from '#store/vault.ts'
import { newId } from '../src/ids.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { figure } from './figures.ts'

const MESSAGES = 5000
const ACCEPTED_AT_ONCE = 20
const TEXT_OCTETS = 5500
const LIMITS = { workspace: 0, installation: 0 }

export async function mail(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const sink = opened.use(await startSink())
  figure(`mail: ${MESSAGES} messages of ${TEXT_OCTETS} octets to a sink on loopback`)
  const ours = await ourRate(opened, sink, signal)
  figure(
    `mailstead: ${ours.toFixed(0)} messages a second, accepted, queued, signed and transferred`,
  )
}

type Sink = AsyncDisposable & {
  port: number
  until(count: number): Promise<void>
  count: number
}

async function startSink(): Promise<Sink> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'mail-sink.ts')], {
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

async function ourRate(
  opened: AsyncDisposableStack,
  sink: Sink,
  signal: AbortSignal,
): Promise<number> {
  const store = await openStore(opened)
  const claim = await activeDomain(store)
  const workers = opened.use(new MailWorkers())
  const smarthost = { host: '127.0.0.1', port: sink.port, secure: false, credentials: undefined }
  const world = { name: 'live', platform: { mailHost: 'mx.bench.test' }, mayConnect: () => true }
  const foundation = {
    store,
    opened,
    onError: (error: unknown) => console.error(error),
    config: { smtpSourceAddresses: [], smarthost },
  }
  openOutgoing({
    foundation,
    workers,
    worlds: new Map([['live', world]]),
    accounts: {},
  } as never)
  await acceptMany(store, claim, 200, signal)
  await sink.until(200)
  const began = performance.now()
  await acceptMany(store, claim, MESSAGES, signal)
  const accepted = performance.now()
  await sink.until(200 + MESSAGES)
  const ended = performance.now()
  figure(`accepted: ${((1000 * MESSAGES) / (accepted - began)).toFixed(0)} a second`)
  return (1000 * MESSAGES) / (ended - began)
}

async function openStore(opened: AsyncDisposableStack): Promise<StoreContext> {
  const { path: dataDir } = opened.use(await temporaryDirectory())
  const onError = (error: unknown) => console.error(error)
  const { connection } = opened.use(await startPostgres({ dataDir, onLog: () => {} }))
  await migrate(connection, onError)
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  const doorbell = opened.use(await openDoorbell(db, connection, onError))
  return { db, doorbell, vault: openVault(Buffer.alloc(32, 7)) }
}

type Claim = { claimId: string; name: string; nameservers: readonly string[] }

/** As a pass leaves it: delegated, seen a moment ago, registered with a key. */
async function activeDomain(store: StoreContext): Promise<Claim> {
  const { db } = store
  const [domainId, claimId, name] = [newId(), newId(), 'bench.test']
  await ensureWorkspace(store, FIRST_WORKSPACE, 'a workspace')
  const tenant = { workspace_id: FIRST_WORKSPACE, world: 'live' as const, name }
  const drivers = { zone_driver: 'embedded', sender_driver: 'embedded', mailbox_driver: 'embedded' }
  await db
    .insertInto('domains')
    .values({ id: domainId, ...tenant, ...drivers })
    .execute()
  await db
    .insertInto('claims')
    .values({ id: claimId, domain_id: domainId, ...tenant })
    .execute()
  await db.insertInto('holders').values({ world: 'live', name, claim_id: claimId }).execute()
  const met = { verdict: 'met', since: new Date(), last_look_at: new Date() }
  for (const type of ['delegated', 'sender_registered'])
    await db
      .insertInto('conditions')
      .values({ domain_id: domainId, type, ...met })
      .execute()
  const claim = { claimId, name, nameservers: [] }
  await senderStore(store, 'live', LIMITS).register(claim)
  return claim
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
        limits: LIMITS,
      })
    }
  }
  await Promise.all(Array.from({ length: ACCEPTED_AT_ONCE }, acceptSome))
}
