// Chooses the directory of the server's Unix sockets: in the data directory, or a shorter path.
import { chmod, chown, lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ifPresent, type Owner, readIfPresent, replaceWhole } from '../files.ts'

/** Part of the name of the socket file: the server does not listen on a network. */
export const PORT = 5432

/** The name of the socket. */
export const SOCKET = `.s.PGSQL.${PORT}`

/** unix(7): sun_path holds 108 octets with the final NUL; macOS has 104. */
const MAX_PATH_OCTETS = process.platform === 'darwin' ? 103 : 107

/** A directory of mode 0700; disposing removes it if it lies outside the data directory. */
export type SocketDirectory = AsyncDisposable & { readonly path: string }

/**
 * Opens `<dataDir>/run`, or a temporary directory if that path is too long for a socket. The file
 * `<dataDir>/run-directory` stores the temporary path, so that the next start reuses it after a
 * kill. `longest` is the longest name of a socket in it.
 */
export async function openSocketDirectory(
  dataDir: string,
  longest: string,
  owner: Owner | undefined,
): Promise<SocketDirectory> {
  const usual = join(dataDir, 'run')
  if (!fits(join(usual, longest))) {
    return openShortDirectory(join(dataDir, 'run-directory'), longest, owner)
  }
  await mkdir(usual, { recursive: true })
  await closeToOthers(usual, owner)
  return { path: usual, async [Symbol.asyncDispose]() {} }
}

async function openShortDirectory(pathFile: string, longest: string, owner: Owner | undefined) {
  const prefix = join(tmpdir(), 'mailstead-')
  if (!fits(join(`${prefix}XXXXXX`, longest)))
    throw new Error(`${tmpdir()} is too long a path: set TMPDIR`)
  const path = (await reusablePath(pathFile, owner)) ?? (await mkdtemp(prefix))
  await replaceWhole(pathFile, path)
  await closeToOthers(path, owner)
  const remove = async () => {
    await rm(path, { recursive: true, force: true })
    await rm(pathFile, { force: true })
  }
  return { path, [Symbol.asyncDispose]: remove }
}

// In a world-writable directory, another user may own the path by now.
async function reusablePath(
  pathFile: string,
  owner: Owner | undefined,
): Promise<string | undefined> {
  const path = await readIfPresent(pathFile)
  const found = path ? await ifPresent(lstat(path)) : undefined
  if (!found?.isDirectory() || (found.mode & 0o077) !== 0) return undefined
  return [owner?.uid, process.getuid?.()].includes(found.uid) ? path : undefined
}

async function closeToOthers(directory: string, owner: Owner | undefined): Promise<void> {
  await chmod(directory, 0o700)
  if (owner) await chown(directory, owner.uid, owner.gid)
}

function fits(socket: string): boolean {
  return Buffer.byteLength(socket) <= MAX_PATH_OCTETS
}
