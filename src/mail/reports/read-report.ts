/**
 * Reads an automatic report on an earlier message: a delivery status notification (RFC 3464) or a
 * complaint (RFC 5965). Pure.
 */
import type { Email } from 'postal-mime'
import { cleanText } from '../incoming/clean.ts'
import { nameOf, readHeader, unfolded } from '../incoming/header.ts'

export type Report = {
  /** `delayed`: it is still being tried. */
  is: 'failed' | 'delayed' | 'delivered' | 'complaint'
  /** The reply about it, and the host that gave it. */
  reply: string
  host: string
  /** What the report says of the message it is about; '' where it says nothing. */
  envelopeSender: string
  messageId: string
}

const LIMIT = { reply: 500, host: 255, address: 320, messageId: 998 }

/** `failedRecipients` is the field X-Failed-Recipients, which some hosts use in a plain message. */
export function readReport(mail: Email, failedRecipients: string): Report | undefined {
  const status = partOf(mail, 'message/delivery-status', 'message/global-delivery-status')
  const feedback = partOf(mail, 'message/feedback-report')
  const found =
    (status !== undefined && deliveryOf(status)) ||
    (feedback !== undefined && complaintOf(feedback)) ||
    plainOf(mail.text ?? '', failedRecipients)
  if (!found) return undefined
  const original = originalOf(mail)
  const sender = feedback && fieldOf(fieldsOf(feedback), 'original-mail-from')
  return {
    ...found,
    reply: cleanText(found.reply, LIMIT.reply),
    host: cleanText(found.host, LIMIT.host),
    envelopeSender: cleanText(unbracketed(sender || original('return-path')), LIMIT.address),
    messageId: cleanText(original('message-id'), LIMIT.messageId),
  }
}

/** How much text of a report is read. */
const PLAIN_READ = 8192

type Said = Pick<Report, 'is' | 'reply' | 'host'>
type Fields = readonly (readonly [name: string, value: string])[]

/**
 * RFC 3464 section 2.3: a group of fields for each recipient. If one failed, the whole counts as failed.
 */
function deliveryOf(part: string): Said | undefined {
  const groups = part.split(/\n[ \t]*\n/).map(fieldsOf)
  const host = fieldOf(groups[0]!, 'reporting-mta')
  const said = groups.flatMap((group) => {
    const is = actionOf(group)
    return is
      ? [{ is, reply: replyOf(group), host: untyped(fieldOf(group, 'remote-mta') || host) }]
      : []
  })
  return (
    said.find(({ is }) => is === 'failed') ?? said.find(({ is }) => is === 'delivered') ?? said[0]
  )
}

const ACTIONS = new Map<string, Said['is']>([
  ['failed', 'failed'],
  ['delayed', 'delayed'],
  ['delivered', 'delivered'],
  ['relayed', 'delivered'],
  ['expanded', 'delivered'],
])
/** By the first digit of a status (RFC 3463), for reports without an action. */
const CLASSES = new Map<string, Said['is']>([
  ['2', 'delivered'],
  ['4', 'delayed'],
  ['5', 'failed'],
])

function actionOf(group: Fields): Said['is'] | undefined {
  const action = /^[a-z]+/.exec(fieldOf(group, 'action').toLowerCase())?.[0]
  return ACTIONS.get(action ?? '') ?? CLASSES.get(fieldOf(group, 'status').slice(0, 1))
}

/** The diagnostic code usually includes the status. */
function replyOf(group: Fields): string {
  const status = /^[245]\.\d{1,3}\.\d{1,3}/.exec(fieldOf(group, 'status'))?.[0] ?? ''
  const diagnostic = untyped(fieldOf(group, 'diagnostic-code'))
  return diagnostic.includes(status) ? diagnostic : `${status} ${diagnostic}`
}

/** RFC 5965 section 7.3. `not-spam` is no complaint, and `auth-failure` (RFC 6591) is about forgeries. */
function complaintOf(part: string): Said | undefined {
  const fields = fieldsOf(part)
  const type = fieldOf(fields, 'feedback-type').toLowerCase()
  if (['', 'not-spam', 'auth-failure'].includes(type)) return undefined
  return { is: 'complaint', reply: type, host: untyped(fieldOf(fields, 'reporting-mta')) }
}

/** A report without fields: qmail's format (QSBMF), or a plain message with X-Failed-Recipients. */
function plainOf(text: string, failedRecipients: string): Said | undefined {
  const read = text.slice(0, PLAIN_READ).trimStart()
  const ofQmail = read.startsWith('Hi. This is the ') && /^<[^>\n]+>:\s*(.+)/m.exec(read)
  if (ofQmail) return { is: 'failed', reply: ofQmail[1]!, host: '' }
  if (failedRecipients === '') return undefined
  const reply = read.split('\n').find((line) => /\b5\d\d[ -]/.test(line)) ?? ''
  return { is: 'failed', reply, host: '' }
}

/** Looks up fields of the message in the report, which returns it whole or only its header section. */
function originalOf(mail: Email): (name: string) => string {
  const part = partOf(
    mail,
    'message/rfc822',
    'text/rfc822-headers',
    'message/global',
    'message/global-headers',
  )
  const fields = fieldsOf(part?.split(/\n[ \t]*\n/, 1)[0] ?? '')
  return (name) => fieldOf(fields, name)
}

function partOf(mail: Email, ...types: readonly string[]): string | undefined {
  const found = mail.attachments.find(({ mimeType }) => types.includes(mimeType))
  if (!found) return undefined
  const { content } = found
  const octets =
    typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as ArrayBuffer)
  return octets.toString().replaceAll('\r\n', '\n').trimStart()
}

function fieldsOf(section: string): Fields {
  const header = readHeader(
    Buffer.from(`${section.trim().replaceAll('\n', '\r\n')}\r\n\r\n`, 'latin1'),
  )
  return (header?.fields ?? []).map((field) => [nameOf(field), unfolded(field)])
}

/** '' where there is none. */
const fieldOf = (fields: Fields, name: string): string =>
  fields.find(([found]) => found === name)?.[1] ?? ''

/** The value without a leading type, as in `dns; mx.example` or `smtp;550 …`. */
const untyped = (value: string): string => value.replace(/^[a-z0-9-]+[ \t]*;[ \t]*/i, '')

const unbracketed = (path: string): string => /<([^<>]*)>/.exec(path)?.[1] ?? path
