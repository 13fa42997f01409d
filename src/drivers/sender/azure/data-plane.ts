/** Sending: `emails:send`, signed with the access key of the communication service. */
import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpClient } from '../../http.ts'
import { serviceUrl } from '../../kind.ts'
import { readAs } from '../../read-as.ts'
import { codeOf } from './refusals.ts'

const PATH = '/emails:send?api-version=2025-09-01'

/** `endpoint=https://…/;accesskey=…` */
export type Access = { endpoint: string; key: string }

export function accessIn(connectionString: string): Access {
  const parts = connectionString.split(';').map((part) => /^([^=]+)=(.*)$/.exec(part) ?? [])
  const partNamed = (name: string) => parts.find(([, key]) => key?.toLowerCase() === name)?.[2]
  const { data: endpoint } = serviceUrl.safeParse(partNamed('endpoint'))
  const key = partNamed('accesskey')
  if (endpoint && key) return { endpoint, key }
  throw new DriverError('unavailable', 'Azure gave no connection string that we can read.')
}

export type Email = {
  senderAddress: string
  recipients: { to: readonly { address: string }[] }
  content: { subject: string; plainText?: string; html?: string }
  headers: Readonly<Record<string, string>>
  replyTo?: readonly { address: string }[]
  attachments?: readonly { name: string; contentType: string; contentInBase64: string }[]
  userEngagementTrackingDisabled: boolean
}

/** The result: taken over under an operation id, or refused with a code. */
export type SendEmailResult = { operationId: string } | { status: number; code: string }

const taken = z.object({ id: z.string().min(1) })

/** `operationId` identifies the message in later reports. */
export async function sendEmail(
  http: HttpClient,
  { endpoint, key }: Access,
  operationId: string,
  email: Email,
  nowMs: number,
  signal: AbortSignal,
): Promise<SendEmailResult> {
  const signed = signature(new URL(endpoint).host, key, JSON.stringify(email), nowMs)
  const headers = { ...signed, 'operation-id': operationId }
  const ownMeaning = [401, 403]
  const answer = await http(
    { method: 'POST', path: PATH, json: email, headers, ownMeaning },
    signal,
  )
  return answer.status === 202
    ? { operationId: readAs('Azure', taken, answer.json).id }
    : { status: answer.status, code: codeOf(answer) }
}

/** Azure's own scheme: HMAC-SHA256 over method, path, date, host and the digest of the body. */
function signature(host: string, key: string, body: string, nowMs: number): Record<string, string> {
  const date = new Date(nowMs).toUTCString()
  const digest = createHash('sha256').update(body).digest('base64')
  const text = `POST\n${PATH}\n${date};${host};${digest}`
  const sign = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')
  const authorization = `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${sign}`
  return { 'x-ms-date': date, 'x-ms-content-sha256': digest, authorization }
}
