/** Files that an installation creates once in its data directory, readable by its owner only. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigError } from '#config/settings.ts'
import type { DkimKey } from '#mail/outgoing/key.ts'
import { createWhole, readIfPresent, replaceWhole, syncDirectory } from '../files.ts'

/** Reads the file, or creates it atomically; of several processes at once, one creates it. */
async function keep(
  dataDir: string,
  name: string,
  make: () => string | Promise<string>,
): Promise<{ content: string; isNew: boolean }> {
  const path = join(dataDir, name)
  const kept = await readIfPresent(path)
  if (kept !== undefined) return { content: kept, isNew: false }
  const content = await make()
  const isNew = await createWhole(path, content)
  if (isNew) await syncDirectory(dataDir)
  return { content: isNew ? content : await readFile(path, 'utf8'), isNew }
}

const KEY_OCTETS = 32

/** 32 octets that encrypt the installation's secrets. Created if `mayMake` says that there are none yet. */
export async function ensureSecretKey(
  dataDir: string,
  { mayMake, onMade }: { mayMake: boolean; onMade(path: string): void },
): Promise<Buffer> {
  const path = join(dataDir, 'secret.key')
  if (!mayMake && (await readIfPresent(path)) === undefined) throw new ConfigError(missing(path))
  const { content, isNew } = await keep(dataDir, 'secret.key', () =>
    randomBytes(KEY_OCTETS).toString('base64'),
  )
  const key = Buffer.from(content.trim(), 'base64')
  if (key.length !== KEY_OCTETS || key.toString('base64') !== content.trim())
    throw new ConfigError(
      `${path} does not hold ${KEY_OCTETS} octets in base64. Put back the copy of it that was kept elsewhere: without it no secret of this installation can be read.`,
    )
  if (isNew) onMade(path)
  return key
}

/** The key in the data directory, if there is one already. */
export const readSecretKey = async (dataDir: string): Promise<string | undefined> =>
  readIfPresent(join(dataDir, 'secret.key'))

const missing = (path: string): string =>
  `There is no ${path}, and the database has secrets that it encrypted. Put back the copy that was kept elsewhere, or set MAILSTEAD_SECRET_KEY: without the key no API key is known and no DKIM key can be read.`

/** A self-signed certificate for STARTTLS: other MTAs encrypt to it without trusting it (RFC 7435). */
export async function ensureCertificate(
  dataDir: string,
  host: string,
): Promise<{ key: string; cert: string }> {
  const { content } = await keep(dataDir, 'smtp-certificate.json', async () => {
    // Used once, and slow to load.
    const { generate: generateCertificate } = await import('selfsigned')
    const notAfterDate = new Date(Date.now() + 10 * 365 * 86_400_000)
    const made = await generateCertificate([{ name: 'commonName', value: host }], {
      keySize: 2048,
      algorithm: 'sha256',
      notAfterDate,
    })
    return JSON.stringify({ key: made.private, cert: made.cert })
  })
  return JSON.parse(content)
}

/** The key that mail from the sandbox's own mailboxes is signed with. */
export async function ensureSandboxKey(dataDir: string): Promise<DkimKey> {
  const { content } = await keep(dataDir, 'sandbox-dkim.json', async () => {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
    })
    return JSON.stringify({
      selector: 'sandbox',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    })
  })
  return JSON.parse(content)
}

/** Writes the first test key to a file of its owner, and returns the path. */
export async function writeFirstKey(dataDir: string, key: string): Promise<string> {
  const path = join(dataDir, 'first-test-key')
  await replaceWhole(path, `${key}\n`)
  return path
}
