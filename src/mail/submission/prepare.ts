/**
 * Makes a message that a mail program submitted ready to leave (RFC 6409 section 8), or refuses it. Runs in a
 * worker: the message may be large, and its fields are hostile.
 */
import { zstdCompressSync } from 'node:zlib'
import { decodeWords } from 'postal-mime'
import { bufferOf, type StoredContent } from '../content.ts'
import { type Description, describe } from '../incoming/describe.ts'
import { hasBareLineEnd, nameOf, readHeader, unfolded, writeHeader } from '../incoming/header.ts'
import { BARE_LINE_END, HEADER_TOO_BIG, type Refused } from '../incoming/refused.ts'

export type Submission = {
  /** Over shared memory. */
  raw: Uint8Array
  /** The address of the inbox that is logged in. */
  address: string
  /** Our mail host, for the trace. */
  host: string
  /** The id of the message, and when it came. */
  id: string
  now: Date
}

export type Prepared = {
  is: 'prepared'
  content: StoredContent
  /** In brackets. */
  messageId: string
  description: Description
}

/** RFC 5322 section 3.6: at most one of each. */
const ONCE: readonly string[] = [
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'message-id',
  'in-reply-to',
  'references',
  'subject',
  'date',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
]
/** RFC 6409 section 8 and RFC 5321 section 4.4: a recipient does not see these. */
const REMOVED: readonly string[] = ['bcc', 'return-path']
const MESSAGE_ID = /^<[!-;=?-~]{1,900}>$/
/** RFC 5321 section 6.3: a message that has passed so many hosts runs in circles. */
const MAX_HOPS = 50

export async function prepare(submission: Submission): Promise<Refused | Prepared> {
  const octets = bufferOf(submission.raw)
  if (hasBareLineEnd(octets)) return BARE_LINE_END
  const header = readHeader(octets)
  if (!header) return HEADER_TOO_BIG
  const refusal = objectionTo(header.fields, submission.address)
  if (refusal) return refusal
  const body = octets.subarray(header.bodyAt)
  const { fields, messageId } = completed(header.fields, submission)
  const finished = Buffer.concat([writeHeader(fields), body])
  const described = await describe({ fields, bodyAt: 0 }, body, submission.address)
  const content = zstdCompressSync(finished)
  return {
    is: 'prepared',
    content: { encoding: 'zstd', octets: finished.length, content },
    messageId,
    description: described,
  }
}

function objectionTo(fields: readonly string[], address: string): Refused | undefined {
  const names = fields.map(nameOf)
  if (names.includes('')) return badlyFormed('A header field has no name')
  const twice = ONCE.find((name) => names.indexOf(name) !== names.lastIndexOf(name))
  if (twice) return badlyFormed(`There are two ${twice} fields`)
  if (names.filter((name) => name === 'received').length >= MAX_HOPS)
    return { is: 'refused', code: 554, enhanced: '5.4.6', text: 'The message runs in circles' }
  if (names.some((name) => name.startsWith('resent-')))
    return notAllowed('Messages cannot be sent again with Resent- fields')
  const fieldValue = (name: string) => unfolded(fields[names.indexOf(name)] ?? '')
  if (!names.includes('from')) return badlyFormed('There is no From field')
  if (!isMailbox(fieldValue('from'), address))
    return notAllowed(`The From field must name ${address} and nobody else`)
  if (names.includes('sender') && !isMailbox(fieldValue('sender'), address))
    return notAllowed(`The Sender field must name ${address} and nobody else`)
  if (names.includes('message-id') && !MESSAGE_ID.test(fieldValue('message-id')))
    return badlyFormed('The Message-ID is not one')
  return undefined
}

const badlyFormed = (text: string): Refused => ({
  is: 'refused',
  code: 554,
  enhanced: '5.6.0',
  text,
})
const notAllowed = (text: string): Refused => ({
  is: 'refused',
  code: 550,
  enhanced: '5.7.1',
  text,
})

/** A phrase of RFC 5322 section 3.2.5, with the dots that mail programs leave unquoted. */
const PHRASE = /^("([^"\\]|\\[ -~])*"|[^"()<>[\]:;@\\,]*)$/
const ASCII = /^[ -~\t]*$/

/**
 * Whether the value names exactly this mailbox, in a form that no parser reads otherwise: no group, no list, no
 * comment, and no second address in the display name, where a reader would take it for the author.
 */
function isMailbox(value: string, address: string): boolean {
  if (!ASCII.test(value)) return false
  if (value.toLowerCase() === address) return true
  if (!value.toLowerCase().endsWith(`<${address}>`)) return false
  const phrase = value.slice(0, -(address.length + 2)).trim()
  const shown = decodeWords(phrase).toLowerCase().replaceAll(address, '')
  return PHRASE.test(phrase) && !/[@\uff20\ufe6b<>\p{Cc}]/u.test(shown)
}

/** The fields as they leave: with a trace, a date and an id, without what recipients must not see. */
function completed(
  fields: readonly string[],
  { address, host, id, now }: Submission,
): { fields: readonly string[]; messageId: string } {
  const kept = fields.filter((field) => !REMOVED.includes(nameOf(field)))
  const written = kept.find((field) => nameOf(field) === 'message-id')
  const messageId = written
    ? unfolded(written)
    : `<${id}@${address.slice(address.lastIndexOf('@') + 1)}>`
  const date = now.toUTCString().replace('GMT', '+0000')
  return {
    messageId,
    fields: [
      // RFC 5321 section 4.4, but for the client's address, which is private.
      `Received: by ${host} with ESMTPSA id ${id};\r\n ${date}`,
      ...kept,
      ...(written ? [] : [`Message-ID: ${messageId}`]),
      ...(kept.some((field) => nameOf(field) === 'date') ? [] : [`Date: ${date}`]),
    ],
  }
}
