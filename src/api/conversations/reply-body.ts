/** What an answer to a conversation says, and the files with it. */
import { z } from 'zod'
import type { Draft } from '#mail/outgoing/draft.ts'
import { Problem } from '../http/problems.ts'
import { storableText } from '../http/shapes.ts'

/** The attachments in base64, and both texts with every character escaped. */
export const REPLY_BODY_LIMIT = 20 * 1024 * 1024
const FILES = 5
const FILES_OCTETS = 10 * 1024 * 1024
/** Each file may end with padding. */
const BASE64_LIMIT = Math.ceil(FILES_OCTETS / 3) * 4 + 4 * FILES

const text = storableText.min(1).max(500_000).nullish()

const file = z.object({
  filename: z
    .string()
    .min(1)
    .max(255)
    // RFC 5322 section 2.2: no control characters in a header field.
    .regex(/^[^\p{Cc}\p{Cs}/\\]*$/u, 'control characters and folders are not allowed')
    .describe('The name of the file, without folders.')
    .meta({ examples: ['offer.txt'] }),
  content_type: z
    .string()
    .max(127)
    // Parts of these types must not be in base64 (RFC 2046 sections 5.1 and 5.2.1).
    .regex(
      /^(?!multipart\/|message\/)[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/i,
      'not a type/subtype',
    )
    .default('application/octet-stream')
    .describe('Its media type, as `type/subtype`.'),
  content: z
    .string()
    .describe('The octets, in base64 (RFC 4648 section 4).')
    .meta({ examples: ['SGVsbG8='] }),
})

export const replyBody = z
  .object({
    body: text.describe('The text of the answer. Without it, the text of `html_body` is sent too.'),
    html_body: text.describe('The answer as HTML. It is sent as it is.'),
    attachments: z
      .array(file)
      .max(FILES)
      .nullish()
      .describe('At most 5 files, of 10 MiB together.'),
  })
  .superRefine(({ body, html_body }, check) => {
    if (typeof body === 'string' || typeof html_body === 'string') return
    const params = { type: 'value_error.missing' }
    check.addIssue({ code: 'custom', path: ['body'], message: 'field required', params })
  })
  .meta({ examples: [{ body: 'Thank you.' }] })

type ReplyBody = z.output<typeof replyBody>

/** Throws for files that are too large together. */
export function contentOf({
  body,
  html_body,
  attachments,
}: ReplyBody): Pick<Draft, 'text' | 'html' | 'files'> {
  const files = attachments ?? []
  const length = files.reduce((sum, { content }) => sum + content.length, 0)
  if (length > BASE64_LIMIT) throw new Problem('attachments_too_large')
  return {
    text: body ?? undefined,
    html: html_body ?? undefined,
    files: files.map(({ filename, content_type, content }) => ({
      filename,
      contentType: content_type,
      content,
    })),
  }
}
