// One living supervisor per data directory. A pid alone misleads after a reboot or once it is reused, so the
// file holds the start time as well.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createWhole, readIfPresent, replaceWhole } from '../files.ts'
import { processIdentity } from './processes.ts'

/** Only crashes in the middle of taking over a dead supervisor's lock need more than one. */
const MAX_TAKEOVERS = 3

/**
 * Holds `<dataDir>/supervisor.pid`, or another file, until disposed; a dead process's lock is taken over.
 * Throws if a living process, this one included, holds it.
 */
export async function lockDataDirectory(
  dataDir: string,
  file = 'supervisor.pid',
): Promise<AsyncDisposable> {
  const path = join(dataDir, file)
  await claim(path, `${process.pid} ${await processIdentity(process.pid)}\n`, MAX_TAKEOVERS)
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

async function claim(path: string, mine: string, takeoversLeft: number): Promise<void> {
  if (await createWhole(path, mine)) return
  const holder = (await readIfPresent(path)) ?? ''
  if (takeoversLeft === 0 || (await isHeld(holder))) throw refusal(path, holder)
  // Two processes may find the same dead holder. Only the one with this second lock replaces it,
  // and looks again first: the other may have done so already.
  const takeover = `${path}.takeover`
  await claim(takeover, mine, takeoversLeft - 1)
  try {
    const latest = await readIfPresent(path)
    if (latest !== holder) throw refusal(path, latest ?? holder)
    await replaceWhole(path, mine)
  } finally {
    await rm(takeover, { force: true })
  }
}

async function isHeld(holder: string): Promise<boolean> {
  const [pid, identity] = holder.trim().split(' ')
  return identity !== undefined && (await processIdentity(Number(pid))) === identity
}

export class DirectoryInUse extends Error {
  override readonly name = 'DirectoryInUse'
}

function refusal(path: string, holder: string): Error {
  const [pid] = holder.split(' ')
  return new DirectoryInUse(
    `Another Mailstead (process ${pid}) uses this data directory; stop it first (lock: ${path})`,
  )
}
