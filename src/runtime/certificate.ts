/** The certificate of the mail host: from the operator's files, read again when they change, or self-signed. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { type Config, ConfigError } from '#config/settings.ts'
import { periodically } from '#engine/periodic.ts'
import type { Tls, TlsPair } from '#servers/smtp/listener.ts'
import { ensureCertificate } from './data-directory.ts'

/** How often the files are read: they are small, and a link may lead to new ones without a new date. */
const READ_EVERY_MS = 5000

export type CertificateParts = { config: Config; logger: Logger; opened: AsyncDisposableStack }

/** Throws `ConfigError` for files that cannot be used. */
export async function openCertificate({ config, logger, opened }: CertificateParts): Promise<Tls> {
  const { tlsCert, tlsKey, dataDir, mailHost } = config
  if (tlsCert === '' && tlsKey === '') return ensureCertificate(dataDir, mailHost)
  let current = await readPair(tlsCert, tlsKey)
  const renewed: ((pair: TlsPair) => void)[] = []
  let lastTrouble = ''
  const readAgain = async () => {
    const pair = await readPair(tlsCert, tlsKey)
    lastTrouble = ''
    if (pair.cert === current.cert && pair.key === current.key) return
    current = pair
    for (const act of renewed) act(pair)
    logger.info({ ends: endOf(pair) }, 'the certificate of the mail host was renewed')
  }
  // While one file is new and the other old, and after an error, the former pair stays.
  const onError = (error: unknown) => {
    const sentence = error instanceof Error ? error.message : String(error)
    if (sentence !== lastTrouble) logger.error(`the former certificate stays: ${sentence}`)
    lastTrouble = sentence
  }
  opened.use(
    periodically({ everyMs: READ_EVERY_MS, beginsAtOnce: false, work: readAgain, onError }),
  )
  return { ...current, onRenewal: (act) => void renewed.push(act) }
}

async function readPair(certPath: string, keyPath: string): Promise<TlsPair> {
  const cert = await readText('MAILSTEAD_TLS_CERT', certPath)
  const key = await readText('MAILSTEAD_TLS_KEY', keyPath)
  if (!isPair(cert, key))
    throw new ConfigError('MAILSTEAD_TLS_KEY: this is not the private key of MAILSTEAD_TLS_CERT.')
  return { cert, key }
}

async function readText(setting: string, path: string): Promise<string> {
  if (path === '') throw new ConfigError(`${setting}: certificate and key are set together.`)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new ConfigError(`${setting}: the file cannot be read (${code}).`)
  }
}

function isPair(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

const endOf = ({ cert }: TlsPair): string => new X509Certificate(cert).validTo
