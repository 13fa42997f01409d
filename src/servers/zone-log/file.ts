/** Files as the log needs them: reads and writes at offsets. */
import { readSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '../../files.ts'

/** Every call throws the system's error. */
export type LogFile = {
  size(): Promise<number>
  /** Fills `octets` from offset `at` on, and returns how many octets it read. */
  read(octets: Uint8Array, at: number): Promise<number>
  readSync(octets: Uint8Array, at: number): number
  /** Writes everything, or throws; then any part may be written. */
  write(octets: Uint8Array, at: number): Promise<void>
  truncate(size: number): Promise<void>
  datasync(): Promise<void>
  close(): Promise<void>
}

export type LogFiles = {
  /** Creates the file, where it does, with access for its owner only. */
  open(path: string, flags: 'r' | 'r+' | 'wx+'): Promise<LogFile>
  remove(path: string): Promise<void>
  /** Renames the draft to `path`. Durable once it resolves. */
  replace(draft: string, path: string): Promise<void>
}

export const systemFiles: LogFiles = {
  async open(path, flags) {
    return logFile(await open(path, flags, 0o600))
  },
  remove: (path) => rm(path, { force: true }),
  async replace(draft, path) {
    await rename(draft, path)
    await syncDirectory(dirname(path))
  },
}

function logFile(handle: FileHandle): LogFile {
  return {
    size: async () => (await handle.stat()).size,
    read: async (octets, at) => (await handle.read(octets, 0, octets.length, at)).bytesRead,
    readSync: (octets, at) => readSync(handle.fd, octets, 0, octets.length, at),
    write: (octets, at) => writeAll(handle, octets, at),
    truncate: (size) => handle.truncate(size),
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

async function writeAll(handle: FileHandle, octets: Uint8Array, at: number): Promise<void> {
  let done = 0
  while (done < octets.length) {
    const { bytesWritten } = await handle.write(octets, done, octets.length - done, at + done)
    done += bytesWritten
  }
}
