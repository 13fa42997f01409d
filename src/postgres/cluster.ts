// The files of the database: made once, whole or not at all, and never deleted.
import { randomBytes } from 'node:crypto'
import { chown, lstat, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ifPresent, readIfPresent, replaceWhole, syncDirectory } from '../files.ts'
import { type Account, runAs } from './account.ts'

/** The superuser of the cluster. */
export const USER = 'mailstead'

const INITDB_LIMIT_MS = 120_000
const UNFINISHED = 'cluster.unfinished-'

/** The input of `makeCluster`. */
export type ClusterPlan = {
  readonly dataDir: string
  readonly binDir: string
  readonly account: Account
  /** `--no-sync` for a server that runs without fsync. */
  readonly initdbOptions: readonly string[]
  readonly signal: AbortSignal
}

/** A finished cluster. */
export type Cluster = { readonly path: string; readonly password: string }

/**
 * The cluster in `<dataDir>/cluster`, made if there is none, within 120 s. Throws if initdb fails
 * or the password of an existing cluster is lost.
 */
export async function openCluster(plan: ClusterPlan): Promise<Cluster> {
  const path = join(plan.dataDir, 'cluster')
  const passwordFile = join(plan.dataDir, 'password')
  // Only a finished cluster ever has this name, so that a killed first start is begun again.
  if (!(await ifPresent(lstat(path)))) await makeCluster(plan, path, passwordFile)
  const password = await readIfPresent(passwordFile)
  if (!password) throw new Error(`${passwordFile}, the password of the cluster ${path}, is lost`)
  return { path, password }
}

async function makeCluster(plan: ClusterPlan, path: string, passwordFile: string): Promise<void> {
  const { dataDir, account } = plan
  await removeUnfinished(dataDir)
  await replaceWhole(passwordFile, randomBytes(24).toString('base64url'), account.owner)
  // A new name each time: an initdb that outlived its parent cleans up under its own.
  const draft = await mkdtemp(join(dataDir, UNFINISHED))
  if (account.owner) await chown(draft, account.owner.uid, account.owner.gid)
  await initdb(plan, draft, passwordFile)
  await rename(draft, path)
  await syncDirectory(dataDir)
}

function initdb(plan: ClusterPlan, directory: string, passwordFile: string): Promise<void> {
  const program = join(plan.binDir, 'initdb')
  const login = ['--auth=scram-sha-256', `--username=${USER}`, `--pwfile=${passwordFile}`]
  const argv = [program, '-D', directory, '--locale=C', '-E', 'UTF8', ...login]
  const limits = { limitMs: INITDB_LIMIT_MS, signal: plan.signal }
  return runAs(plan.account, [...argv, ...plan.initdbOptions], limits)
}

async function removeUnfinished(dataDir: string): Promise<void> {
  const names = await readdir(dataDir)
  for (const name of names.filter((each) => each.startsWith(UNFINISHED))) {
    // Retries, as the initdb of a killed process may still be writing.
    await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 })
  }
}
