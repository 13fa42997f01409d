/** What an installation makes once and keeps in its data directory, readable by its owner alone. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DkimKey } from '#drivers/sender/embedded/key.ts'

/** Reads the file, or makes its content and writes it whole: a crash leaves no half of it. */
async function keep(dataDir: string, name: string, make: () => Promise<string>): Promise<string> {
  const path = join(dataDir, name)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const content = await make()
  await writeWhole(path, content)
  return content
}

async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** 32 octets that encrypt the installation's secrets; whoever loses them loses those. */
export async function keptSecretKey(
  dataDir: string,
  onMade: (path: string) => void,
): Promise<Buffer> {
  const path = join(dataDir, 'secret.key')
  const written = await keep(dataDir, 'secret.key', async () => {
    onMade(path)
    return randomBytes(32).toString('base64')
  })
  return Buffer.from(written, 'base64')
}

/** A self-signed certificate for STARTTLS: other MTAs encrypt to it without trusting it (RFC 7435). */
export async function keptCertificate(
  dataDir: string,
  host: string,
): Promise<{ key: string; cert: string }> {
  const written = await keep(dataDir, 'smtp-certificate.json', async () => {
    // Needed once, and slow to load.
    const { generate: generateCertificate } = await import('selfsigned')
    const notAfterDate = new Date(Date.now() + 10 * 365 * 86_400_000)
    const made = await generateCertificate([{ name: 'commonName', value: host }], {
      keySize: 2048,
      algorithm: 'sha256',
      notAfterDate,
    })
    return JSON.stringify({ key: made.private, cert: made.cert })
  })
  return JSON.parse(written)
}

/** The key that mail from the sandbox's own mailboxes is signed with. */
export async function keptSandboxKey(dataDir: string): Promise<DkimKey> {
  const written = await keep(dataDir, 'sandbox-dkim.json', async () => {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
    })
    return JSON.stringify({
      selector: 'sandbox',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    })
  })
  return JSON.parse(written)
}

/** Writes the first test key where its owner finds it, and gives the path. */
export async function writeFirstKey(dataDir: string, key: string): Promise<string> {
  const path = join(dataDir, 'first-test-key')
  await writeWhole(path, `${key}\n`)
  return path
}
