/**
 * The product as a user runs it: its own process, with defaults except for the ports (free ones on
 * loopback), the directory (temporary), and the rate limits (off: the demo polls more often than a
 * client would). Nothing in this folder imports the product: it uses only HTTP, DNS and SMTP.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Unexpected } from './unexpected.ts'

/** Disposing it ends the process and removes its directory. */
export type Product = AsyncDisposable & {
  /** The base URL of its API. */
  readonly api: string
  /** `address:port` of its nameserver, and of the server that takes its mail. */
  readonly dns: string
  readonly smtp: string
  readonly key: string
  readonly startedInMs: number
  /** Aborted when the process ends by itself. */
  readonly lost: AbortSignal
}

/** The first start of its database may take this long on a slow machine. */
const START_LIMIT_MS = 160_000
/** The product's own limit is 10 s. */
const STOP_LIMIT_MS = 15_000
const LAST_WORDS_LENGTH = 2000
const READY = /^Mailstead is ready: API (\S+), DNS (\S+), SMTP (\S+?)[.,] .* key is in (.+)$/

/** Throws, and leaves nothing behind, when it does not start or the signal is aborted. */
export async function startProduct(signal: AbortSignal): Promise<Product> {
  await using opened = new AsyncDisposableStack()
  const directory = await makeDirectory()
  opened.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const startedAt = performance.now()
  const process = opened.use(new ProductProcess(directory))
  const [, api, dns, smtp, keyFile] = await process.ready(signal)
  const startedInMs = performance.now() - startedAt
  const key = (await readFile(keyFile!, 'utf8')).trim()
  const closing = opened.move()
  return {
    api: api!,
    dns: dns!,
    smtp: smtp!,
    key,
    startedInMs,
    lost: process.lost,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mailstead-demo-')).catch((error: Error) => {
    throw new Unexpected(`No temporary directory could be made: ${error.message}.`)
  })
  // Started by root, Postgres runs as another user, which must be able to enter the directory.
  if (process.getuid?.() === 0) await chmod(directory, 0o711)
  return directory
}

class ProductProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #lost = new AbortController()
  readonly #exited: Promise<unknown>
  #lastWords = ''

  constructor(directory: string) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], {
      env: environment(directory),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal must reach only us: we stop the process ourselves.
      detached: true,
    })
    this.#child.stderr!.on('data', (chunk) => {
      this.#lastWords = `${this.#lastWords}${chunk}`.slice(-LAST_WORDS_LENGTH)
    })
    this.#exited = once(this.#child, 'close').catch(() => undefined)
    void this.#exited.then(() => this.#lost.abort(this.#obituary()))
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** The parts of the line that says it is ready. */
  async ready(signal: AbortSignal): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(START_LIMIT_MS)
    const ended = AbortSignal.any([signal, this.lost, timeout])
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
    ended.addEventListener('abort', () => reject(timeout.aborted ? TOO_SLOW : ended.reason))
    if (ended.aborted) reject(ended.reason)
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const match = READY.exec(line)
      if (match) resolve(match)
    })
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS)
    await this.#exited
    clearTimeout(killing)
  }

  #obituary(): Unexpected {
    const { exitCode, signalCode } = this.#child
    const words = this.#lastWords.replace(/^\s+at .*\n/gm, '').trim()
    return new Unexpected(
      `Mailstead ended by itself (${signalCode ?? exitCode}). Its last words:\n${words}`,
    )
  }
}

const TOO_SLOW = new Unexpected(`Mailstead was not ready after ${START_LIMIT_MS / 1000} s.`)

/** Our environment, without variables that would change the product's behaviour. */
function environment(directory: string): Record<string, string | undefined> {
  const plain = Object.entries(process.env).filter(
    ([name]) => name !== 'DATABASE_URL' && !name.startsWith('MAILSTEAD_'),
  )
  return {
    ...Object.fromEntries(plain),
    MAILSTEAD_DATA_DIR: join(directory, 'data'),
    MAILSTEAD_HTTP_LISTEN: '127.0.0.1:0',
    MAILSTEAD_DNS_LISTEN: '127.0.0.1:0',
    MAILSTEAD_SMTP_LISTEN: '127.0.0.1:0',
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
    MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
  }
}
