// Small atomic file operations. Knows nothing of Postgres.
import { randomUUID } from 'node:crypto'
import { chown, link, open, readFile, rename, rm, writeFile } from 'node:fs/promises'

/** A numeric user and group. */
export type Owner = { readonly uid: number; readonly gid: number }

/** Whether `error` is a system error with one of `codes`, as in `ENOENT`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** The text of a file, or undefined where there is none. Any other failure is thrown. */
export function readIfPresent(path: string): Promise<string | undefined> {
  return ifPresent(readFile(path, 'utf8'))
}

/** What `found` gives, or undefined if the file does not exist. Any other failure is thrown. */
export async function ifPresent<Found>(found: Promise<Found>): Promise<Found | undefined> {
  try {
    return await found
  } catch (error) {
    // /proc answers ESRCH for a process that ended between open and read.
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** Creates `path` with its whole text at once. False if it exists already. */
export async function createWhole(path: string, text: string): Promise<boolean> {
  const draft = await writeDraft(path, text)
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Replaces `path` in one step, readable by its owner only. `owner` defaults to our user. */
export async function replaceWhole(path: string, text: string, owner?: Owner): Promise<void> {
  const draft = await writeDraft(path, text)
  if (owner) await chown(draft, owner.uid, owner.gid)
  await rename(draft, path)
}

/** Makes the names in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory)
  await handle.sync()
}

async function writeDraft(path: string, text: string): Promise<string> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true })
  return draft
}
