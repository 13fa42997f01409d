// What an earlier server of the same cluster left behind: itself, or only its note.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfPresent } from '../files.ts'
import { commandOf, endServer } from './processes.ts'
import { PORT } from './socket-directory.ts'

/**
 * Ends a living server of `cluster` whose supervisor is gone, within 14 s, and sees to it that the
 * notes of a dead one do not stop the next. For the holder of the supervisor's lock only.
 */
export async function endOrphan(cluster: string, socketDirectory: string): Promise<void> {
  const note = join(cluster, 'postmaster.pid')
  const text = await readIfPresent(note)
  if (text === undefined) return
  const pid = Number.parseInt(text, 10)
  const isAlive = async () => (await commandOf(pid)).includes(`postgres -D ${cluster} `)
  if (await isAlive()) return endServer(pid, isAlive)
  await rm(join(socketDirectory, `.s.PGSQL.${PORT}.lock`), { force: true })
  // A power cut may leave it empty.
  if (Number.isNaN(pid)) await rm(note)
  else await disown(note, text)
}

// Postgres refuses to start while the noted pid lives, even as another program, unless it is that
// of its own parent: us. The rest of the note must stay, for by it Postgres finds those parts of
// the dead server that still use the shared memory.
async function disown(note: string, text: string): Promise<void> {
  await writeFile(note, text.replace(/^-?\d+/, String(process.pid)))
}
