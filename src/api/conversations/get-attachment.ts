import { z } from 'zod'
import type { OneAttachment } from '#mail/incoming/attachments.ts'
import { findContent, findThread, findThreadMessage } from '#store/conversations.ts'
import type { ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Problem } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { id, threadParams } from '../http/shapes.ts'
import { contentDisposition } from './content-disposition.ts'
import { THREAD } from './threads.ts'

const params = threadParams.extend({
  message_id: id,
  attachment_id: z
    .string()
    .max(255)
    .meta({ examples: ['0'] }),
})

/** GET …/messages/{message_id}/attachments/{attachment_id}: one attachment, as a file to save. */
export function getAttachmentRoute(app: Http, context: ApiContext): void {
  app.get(
    `${THREAD}/messages/:message_id/attachments/:attachment_id`,
    {
      schema: {
        operationId: 'getAttachment',
        summary: 'Downloads an attachment of a message',
        description: `Its type is one of ${[...SHOWN_AS].join(', ')}; or it is \`application/octet-stream\`, whatever the message says.`,
        params,
        response: { 200: { content: { 'application/octet-stream': { schema: z.string() } } } },
        problems: [
          'conversation_not_found',
          'conversation_message_not_found',
          'attachment_not_found',
          'message_not_readable',
        ],
      },
      ...needs(context, 'replies:read'),
    },
    async (request, reply) => {
      const attachment = await find(context, keyOf(request), request.params)
      return (
        reply
          .headers(headersOf(attachment))
          // To Fastify octets, to the reader a text.
          .send(Buffer.from(attachment.content) as unknown as string)
      )
    },
  )
}

type Params = z.output<typeof params>

async function find(
  { store, mail }: ApiContext,
  key: ReturnType<typeof keyOf>,
  { thread_id, message_id, attachment_id }: Params,
): Promise<OneAttachment> {
  if (!(await findThread(store, key, thread_id))) throw new Problem('conversation_not_found')
  const message = await findThreadMessage(store, thread_id, message_id)
  const content = message && (await findContent(store, message.contentId))
  if (!content) throw new Problem('conversation_message_not_found')
  if (!/^\d{1,4}$/.test(attachment_id)) throw new Problem('attachment_not_found')
  const read = await mail.readAttachment(content, Number(attachment_id))
  if (!read) throw new Problem('message_not_readable')
  if (!read.attachment) throw new Problem('attachment_not_found')
  return read.attachment
}

/** Types that a browser shows without running anything in them. */
const SHOWN_AS: ReadonlySet<string> = new Set([
  'application/pdf',
  'image/gif',
  'image/jpeg',
  'image/png',
  'image/webp',
  'text/plain',
])

/** A stranger chose the octets, so no browser may run them as a page of this server. */
const headersOf = ({ filename, contentType }: OneAttachment) => ({
  'content-type': SHOWN_AS.has(contentType) ? contentType : 'application/octet-stream',
  'content-disposition': contentDisposition(filename || 'attachment'),
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'private, no-store',
})
