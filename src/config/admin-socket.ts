import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** unix(7): sun_path holds 108 octets with the final NUL; macOS has 104. */
const SOCKET_PATH_LIMIT = process.platform === 'darwin' ? 103 : 107

/** The path of the admin socket: in the data directory, or in tmp if that path is too long. */
export function adminSocketPath(dataDir: string): string {
  const path = join(dataDir, 'admin.sock')
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path
  const name = createHash('sha256').update(path).digest('hex').slice(0, 16)
  return join(tmpdir(), `mailstead-${process.getuid?.() ?? 0}-${name}`, 'admin.sock')
}

export async function makeAdminDirectory(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
}
