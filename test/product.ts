/** The product as a process of its own, which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { makeApiKey } from '#names/api-key.ts'
import { Client } from './client.ts'
import { FREE_PORTS, UNLIMITED } from './house.ts'

const READY_LIMIT_MS = 60_000

export type Product = AsyncDisposable & {
  client: Client
  dns: string
  smtp: string
  dataDir: string
  pid: number
  /** Its ready line. */
  line: string
  /** What the process has written to its standard error so far. */
  log(): string
  /** As by `kill -9`: nothing gets a chance to tidy up. */
  kill(): Promise<void>
  stop(): Promise<number | null>
}

export type ProductOptions = {
  dataDir: string
  settings: Record<string, string>
  /** Where its code is; by default here. */
  directory?: string
  /** A command to run it under, as `setpriv …`. */
  under?: readonly string[]
}

/** A process that may never be ready. */
export type Process = AsyncDisposable & {
  pid: number
  /** What it has written to its standard error so far. */
  log(): string
  /** Its ready line; rejects when it ends before, or after a minute. */
  ready(): Promise<string>
  /** Ends it by that signal; its exit code. Of one that has ended already, the code. */
  end(signal: NodeJS.Signals): Promise<number | null>
  /** Waits for it to end by itself. */
  ended(): Promise<number | null>
}

/** Starts it and waits for its ready line. */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const key = options.settings.MAILSTEAD_BOOTSTRAP_KEY ?? makeApiKey('sandbox')
  const settings = { MAILSTEAD_BOOTSTRAP_KEY: key, ...options.settings }
  const { pid, log, ready, end } = spawnProduct({ ...options, settings })
  const line = await ready().catch(async (error) => {
    await end('SIGKILL')
    throw error
  })
  const [api, dns, smtp] = [
    'API (\\S+?)[,.]?(?= |$)',
    'DNS (\\S+?)[,.]?(?= |$)',
    'SMTP (\\S+?)[,.]?(?= |$)',
  ].map((pattern) => new RegExp(pattern).exec(line)?.[1] ?? '')
  return {
    client: new Client(api!, key),
    dns: dns!,
    smtp: smtp!,
    dataDir: options.dataDir,
    pid,
    line,
    log,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => void (await end('SIGTERM')),
  }
}

/** Starts it and waits for nothing. */
export function spawnProduct(options: ProductOptions): Process {
  const { dataDir, settings, directory = '.', under = [] } = options
  const [command, ...args] = [...under, process.execPath, 'src/main.ts']
  const child = spawn(command!, args, {
    cwd: directory,
    env: { ...process.env, ...FREE_PORTS, ...UNLIMITED, MAILSTEAD_DATA_DIR: dataDir, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  const line = readyLine(child, () => log)
  line.catch(() => undefined) // Not all wait for it.
  const ended = async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended()
  }
  return {
    pid: child.pid!,
    log: () => log,
    ready: () => line,
    end,
    ended,
    [Symbol.asyncDispose]: async () => void (await end('SIGTERM')),
  }
}

async function readyLine(child: ChildProcess, log: () => string): Promise<string> {
  let text = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  child.stdout!.on('data', (chunk) => {
    text += chunk
    const line = text.split('\n').find((each) => each.startsWith('Mailstead is ready'))
    if (line) resolve(line)
  })
  child.on('exit', () => reject(new Error(`the product ended before it was ready: ${log()}`)))
  const timer = setTimeout(
    () => reject(new Error(`the product was not ready in time: ${log()}`)),
    READY_LIMIT_MS,
  )
  timer.unref()
  return promise.finally(() => clearTimeout(timer))
}
