// Cleans up after an earlier server: its process, or only its pid file.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfPresent } from '../files.ts'
import { commandOf, ENDING_OF_POSTGRES, endServer } from './processes.ts'
import { PORT } from './socket-directory.ts'

/**
 * Ends, within 14 s, a living server of `cluster` whose supervisor is gone; a dead one's postmaster.pid then
 * cannot stop the next. For the holder of the supervisor's lock only.
 */
export async function endOrphan(cluster: string, socketDirectory: string): Promise<void> {
  const note = join(cluster, 'postmaster.pid')
  const text = await readIfPresent(note)
  if (text === undefined) return
  const pid = Number.parseInt(text, 10)
  const isAlive = async () => (await commandOf(pid)).includes(`postgres -D ${cluster} `)
  if (await isAlive()) return endServer(pid, isAlive, ENDING_OF_POSTGRES)
  await rm(join(socketDirectory, `.s.PGSQL.${PORT}.lock`), { force: true })
  // A power cut may leave it empty.
  if (Number.isNaN(pid)) await rm(note)
  else await disown(note, text)
}

// Postgres refuses to start while the recorded pid lives, even as another program, unless it is its parent's:
// ours. The rest of the file must stay: with it Postgres finds processes of the dead server that still use
// the shared memory.
async function disown(note: string, text: string): Promise<void> {
  await writeFile(note, text.replace(/^-?\d+/, String(process.pid)))
}
