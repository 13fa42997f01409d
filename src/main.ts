/** The process: reads the settings, starts Mailstead, reports ready, and waits for a signal. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { type Config, ConfigError, readConfig } from '#config/settings.ts'
import { type Running, startMailstead } from '#runtime/start.ts'

/**
 * More than all that a stop waits for: requests under way 5 s, a query 15 s, Dovecot 7 s, Postgres 14 s. An earlier
 * exit would leave Postgres running.
 */
const STOP_LIMIT_MS = 42_000
const LINGER_MS = 200

async function run(): Promise<void> {
  const config = readSettings()
  const logger = pino({ level: config.logLevel, base: null }, pino.destination(2))
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort())
  const pidFile = join(config.dataDir, 'mailstead.pid')
  const house = await startMailstead({ config, logger, signal: stop.signal }).catch((error) => {
    if (stop.signal.aborted) return undefined
    throw error
  })
  if (!house) return sayStopped()
  await writeFile(pidFile, `${process.pid}\n`)
  process.stdout.write(`${readyLine(house)}\n`)
  if (!stop.signal.aborted)
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
  await house[Symbol.asyncDispose]()
  await rm(pidFile, { force: true })
  sayStopped()
}

/** Does not wait for connection attempts to silent hosts. */
function sayStopped(): void {
  process.stdout.write('Mailstead has stopped.\n')
  setTimeout(() => process.exit(0), LINGER_MS).unref()
}

function readSettings(): Config {
  const { values } = parseArgs({ options: { role: { type: 'string', multiple: true } } })
  return readConfig(
    values.role ? { ...process.env, MAILSTEAD_ROLES: values.role.join(',') } : process.env,
  )
}

function readyLine({ api, dns, smtp, submission, imap, redirect, firstKeyFile }: Running): string {
  const parts = [
    api && `API ${api}`,
    dns.length > 0 && `DNS ${dns.join(' ')}`,
    smtp.length > 0 && `SMTP ${smtp.join(' ')}`,
    submission.startTls.length > 0 && `submission ${submission.startTls.join(' ')}`,
    submission.implicitTls.length > 0 && `with TLS ${submission.implicitTls.join(' ')}`,
    imap.length > 0 && `IMAP ${imap.join(' ')}`,
    redirect.length > 0 && `redirects ${redirect.join(' ')}`,
  ]
  const key = firstKeyFile ? ` Your first test key is in ${firstKeyFile}` : ''
  return `Mailstead is ready: ${parts.filter(Boolean).join(', ')}.${key}`
}

run().catch((error: unknown) => {
  const isOurs = error instanceof ConfigError
  process.stderr.write(`${isOurs ? error.message : error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
})
