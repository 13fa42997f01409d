/**
 * `npm test`: types, lint, then the tests against one real Postgres, each file in a database of its own; all but those
 * of endurance, which `npm run test:long` runs.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '#postgres/embedded.ts'
import { ensureCertificate, ensureSandboxKey } from '#runtime/data-directory.ts'
import { prepareStock, prepareTemplate } from './database.ts'

const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'
const RUN_LIMIT_MS = (IS_TORTURE ? 40 : 11.75) * 60_000
const FILES = [
  'src/**/*.test.ts',
  'test/**/*.test.ts',
  'emulators/**/*.test.ts',
  'demo/**/*.test.ts',
]

/** They try much, and again and again: together they take half as long as all others. */
const LONG: readonly string[] = [
  'test/accounts.test.ts',
  'test/api/attachments.test.ts',
  'test/api/claim-limits.test.ts',
  'test/api/fuzz.test.ts',
  'test/api/idempotency.test.ts',
  'test/api/reply-content.test.ts',
  'test/api/specification-life.test.ts',
  'test/api/workspace-rates.test.ts',
  'test/journeys/abandoned.test.ts',
  'test/journeys/azure-race.test.ts',
  'test/journeys/circuit-breaker.test.ts',
  'test/journeys/custody-outside.test.ts',
  'test/journeys/database-not-there-yet.test.ts',
  'test/journeys/delegation-verdicts.test.ts',
  'test/journeys/dkim-rotation.test.ts',
  'test/journeys/hostile-mail.test.ts',
  'test/journeys/imap.test.ts',
  'test/journeys/killed.test.ts',
  'test/journeys/looking-after.test.ts',
  'test/journeys/made-by-hand.test.ts',
  'test/journeys/mail-killed.test.ts',
  'test/journeys/mail-policies.test.ts',
  'test/journeys/matrix.test.ts',
  'test/journeys/moving-in-odd.test.ts',
  'test/journeys/moving-in.test.ts',
  'test/journeys/odd-records.test.ts',
  'test/journeys/outside-faults.test.ts',
  'test/journeys/outside-killed.test.ts',
  'test/journeys/probe-outside.test.ts',
  'test/journeys/properties.test.ts',
  'test/journeys/redirect-outside.test.ts',
  'test/journeys/secondaries.test.ts',
  'test/journeys/two-accounts.test.ts',
  'test/live.test.ts',
  'test/oracle/clients.test.ts',
  'test/oracle/differential.test.ts',
  'test/oracle/nsd.test.ts',
]

const stop = AbortSignal.timeout(RUN_LIMIT_MS)
const chosen = process.argv.slice(2)
if (chosen.length === 0) {
  await run('types', ['node_modules/typescript/bin/tsc', '-p', '.'])
  await run('lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '.'])
  await test(globSync(FILES).filter((file) => !LONG.includes(file)))
} else await test(chosen[0] === '--long' ? LONG : chosen)

async function test(files: readonly string[]): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mailstead-test-'))
  try {
    const settings = {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '300',
    }
    await using postgres = await startPostgres({ dataDir, settings, onLog: () => undefined })
    await prepareTemplate(postgres.connection)
    await prepareStock(postgres.connection)
    const keepsakes = join(dataDir, 'keepsakes')
    await mkdir(keepsakes)
    await Promise.all([
      ensureCertificate(keepsakes, 'mx.mailstead.test'),
      ensureSandboxKey(keepsakes),
    ])
    // Journeys wait for half of their time, those of endurance do not.
    const atOnce = files === LONG ? availableParallelism() : 2 * availableParallelism()
    const concurrency = `--test-concurrency=${atOnce}`
    const timeout = `--test-timeout=${IS_TORTURE ? 1_800_000 : 180_000}`
    await run('tests', ['--test', concurrency, timeout, ...files], {
      MAILSTEAD_TEST_POSTGRES: JSON.stringify(postgres.connection),
      MAILSTEAD_TEST_KEEPSAKES: keepsakes,
      // Each file is a process of its own, and most of them load the whole product.
      NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
      NODE_OPTIONS: '--max-semi-space-size=32',
    })
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Runs Node with these arguments; a failure ends everything. */
async function run(
  what: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const child = spawn(process.execPath, [...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
    signal: stop,
  })
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (status) => resolve(status ?? 1))
  })
  if (code === 0) return
  console.error(`${what}: failed`)
  process.exitCode = code
  if (what !== 'tests') process.exit(code)
}
