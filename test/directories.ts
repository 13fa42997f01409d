/** Directories that are gone after the test. */
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Directory = AsyncDisposable & { path: string }

export async function temporaryDirectory(): Promise<Directory> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'mailstead-test-')))
  // A server that is just ending may still write there.
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5 })
  return { path, [Symbol.asyncDispose]: remove }
}

/** A data directory that was used before, where the run has one: its certificate and keys are slow to make. */
export async function dataDirectory(): Promise<Directory> {
  const directory = await temporaryDirectory()
  const kept = process.env.MAILSTEAD_TEST_KEEPSAKES
  if (kept) await cp(kept, directory.path, { recursive: true })
  return directory
}
