/** What the product shows of a received message. Takes bounded time for any message. */
import { createHash } from 'node:crypto'
import { addressParser } from 'postal-mime'
import { alabels } from '#names/domain-name.ts'
import { type Report, readReport } from '../reports/read-report.ts'
import { wordsOf } from '../words.ts'
import { cleanText } from './clean.ts'
import { type Header, nameOf, unfolded, writeHeader } from './header.ts'
import { type Kind, kindOf } from './kind.ts'
import { firstLines, parsed } from './parsed.ts'
import { textOf } from './text.ts'

export type Description = {
  /** The single address of the single From field; '' where there is none, or several. */
  author: string
  subject: string
  preview: string
  /** The Message-ID that begins the conversation, in brackets; otherwise the message's own. */
  root: string
  /** The report in it, if it reports on an earlier message. */
  report?: Report | undefined
  kind: Kind
  /** By which the message is found. */
  words: readonly string[]
}

const LIMIT = { author: 320, subject: 998, preview: 200 }

/** The fields that are read: the parser's cost grows with lines and parts, not only with octets. */
const FIELDS_READ: readonly string[] = [
  'from',
  'subject',
  'message-id',
  'in-reply-to',
  'references',
  'date',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'x-failed-recipients',
]
const FIELD_OCTETS = 4096
const BODY = { lines: 500, octets: 64 * 1024 }
const HTML_LIMIT = 8000

/** Parses the first part of the message. A body that cannot be parsed leaves the preview empty. */
export async function describe(
  header: Header,
  body: Buffer,
  envelopeSender: string,
): Promise<Description> {
  const fields = fieldsRead(header)
  const all = (name: string) => fields.filter((field) => nameOf(field) === name).map(unfolded)
  const mail = await parsed(Buffer.concat([writeHeader(fields), firstLines(body, BODY)]))
  const [failedRecipients = ''] = all('x-failed-recipients')
  const text = mail ? textOf(mail, HTML_LIMIT) : ''
  const author = authorOf(header.fields.filter((field) => nameOf(field) === 'from'))
  const subject = cleanText(mail?.subject ?? '', LIMIT.subject)
  const report = mail && readReport(mail, failedRecipients)
  const valuesOf = (name: string) => valuesIn(header, name)
  return {
    author,
    subject,
    preview: cleanText(text, LIMIT.preview),
    root: rootOf([...all('references'), ...all('in-reply-to'), ...all('message-id')]),
    report,
    kind: kindOf({ report, envelopeSender, subject, valuesOf }),
    words: wordsOf(author, subject, text),
  }
}

const valuesIn = ({ fields }: Header, name: string): readonly string[] =>
  fields
    .filter((field) => nameOf(field) === name)
    .map((field) => unfolded(field.slice(0, FIELD_OCTETS)).toLowerCase())

function fieldsRead({ fields }: Header): readonly string[] {
  const seen = new Set<string>()
  return fields.flatMap((field) => {
    const name = nameOf(field)
    if (!FIELDS_READ.includes(name) || seen.has(name)) return []
    seen.add(name)
    return [field.slice(0, FIELD_OCTETS).replace(/[\r\n]+$/, '')]
  })
}

/** A parser that drops them shows a different address than the field has. */
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/

/** RFC 5322 section 3.6.2: one field; if it names several mailboxes, none of them counts as the author. */
function authorOf(fields: readonly string[]): string {
  const [field] = fields
  if (field === undefined || fields.length > 1 || field.length > FIELD_OCTETS) return ''
  if (CONTROLS.test(field)) return ''
  const found = addressParser(Buffer.from(unfolded(field), 'latin1').toString())
  const address = found.length === 1 ? found[0]!.address : undefined
  const at = address?.lastIndexOf('@') ?? -1
  if (address === undefined || at < 1) return ''
  const domain = alabels(address.slice(at + 1).replace(/\.$/, ''))
  const author = `${address.slice(0, at)}@${domain}`.toLowerCase()
  const isFit = domain !== undefined && cleanText(author, LIMIT.author) === author
  return isFit ? author : ''
}

/** The first message referred to names the conversation (RFC 5322 section 3.6.4). */
function rootOf(values: readonly string[]): string {
  for (const value of values) {
    const id = /<[^<>\s]+>/.exec(value)?.[0]
    if (id) return id
  }
  return ''
}

/** The key of the conversation with `recipient` that a message of ours begins. */
export const threadWith = (recipient: string, messageId: string): string =>
  threadKey({ author: recipient.toLowerCase(), root: messageId }, false, messageId)

/**
 * Identifies a conversation by its root and one correspondent, so that others cannot join it by
 * referring to it. A hash, because a Message-ID has no length limit.
 */
export function threadKey(
  { author, root }: Pick<Description, 'author' | 'root'>,
  isForged: boolean,
  ownKey: string,
): string {
  const parts = [author, isForged ? 'forged' : '', root || ownKey]
  return createHash('sha256').update(parts.join('\n')).digest('base64url')
}
