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
  /** What the process has written to its standard error so far. */
  log(): string
  /** As by `kill -9`: nothing gets a chance to tidy up. */
  kill(): Promise<void>
  stop(): Promise<number | null>
}

export type ProductOptions = {
  dataDir: string
  settings: Record<string, string>
  /** A command to run it under, as `setpriv …`. */
  under?: readonly string[]
}

/** Starts it and waits for its ready line. */
export async function startProduct({
  dataDir,
  settings,
  under = [],
}: ProductOptions): Promise<Product> {
  const key = settings.MAILSTEAD_BOOTSTRAP_KEY ?? makeApiKey('sandbox')
  const [command, ...args] = [...under, process.execPath, 'src/main.ts']
  const child = spawn(command!, args, {
    env: {
      ...process.env,
      ...FREE_PORTS,
      ...UNLIMITED,
      MAILSTEAD_DATA_DIR: dataDir,
      MAILSTEAD_BOOTSTRAP_KEY: key,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  const line = await readyLine(child, () => log)
  const [api, dns, smtp] = [
    'API (\\S+?)[,.]?(?= |$)',
    'DNS (\\S+?)[,.]?(?= |$)',
    'SMTP (\\S+?)[,.]?(?= |$)',
  ].map((pattern) => new RegExp(pattern).exec(line)?.[1] ?? '')
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exited = once(child, 'exit')
    child.kill(signal)
    return ((await exited) as [number | null])[0]
  }
  return {
    client: new Client(api!, key),
    dns: dns!,
    smtp: smtp!,
    dataDir,
    pid: child.pid!,
    log: () => log,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
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
  return promise.finally(() => clearTimeout(timer))
}
