/** Validates the body of `emails:send`. */
import { z } from 'zod'
import { isAddress } from '#names/localpart.ts'
import { Refused } from './answers.ts'

const RECIPIENT_LIMIT = 50

const ADDRESS = z.strictObject({ address: z.string(), displayName: z.string().optional() })

const ATTACHMENT = z.strictObject({
  name: z.string().min(1),
  contentType: z.string().min(1),
  contentInBase64: z.base64(),
  contentId: z.string().optional(),
})

const MESSAGE = z.strictObject({
  senderAddress: z.string().refine(isAddress),
  content: z.strictObject({
    subject: z.string().min(1),
    plainText: z.string().optional(),
    html: z.string().optional(),
  }),
  recipients: z.strictObject({
    to: z.array(ADDRESS).min(1),
    cc: z.array(ADDRESS).optional(),
    bcc: z.array(ADDRESS).optional(),
  }),
  replyTo: z.array(ADDRESS).optional(),
  headers: z.record(z.string().regex(/^[!-9;-~]+$/), z.string()).optional(),
  attachments: z.array(ATTACHMENT).optional(),
  userEngagementTrackingDisabled: z.boolean().optional(),
})

export type Message = z.infer<typeof MESSAGE>

/** Headers that the service writes itself. That it refuses rather than ignores them is a guess. */
const ITS_OWN =
  /^(from|sender|to|cc|bcc|subject|date|mime-version|content-.*|dkim-signature|received|return-path)$/i

export function parseMessage(body: string): Message {
  const result = MESSAGE.safeParse(parse(body))
  if (!result.success) throw invalid(result.error.issues[0]!.path.join('.'))
  const message = result.data
  const { plainText, html } = message.content
  if (!plainText && !html) throw invalid('content')
  const recipients = recipientsOf(message)
  if (recipients.length > RECIPIENT_LIMIT) throw invalid('recipients')
  const wrong = [...recipients, ...addresses(message.replyTo)].find((one) => !isAddress(one))
  if (wrong !== undefined) {
    throw new Refused(400, 'InvalidEmailAddress', `'${wrong}' is not an email address.`)
  }
  const own = Object.keys(message.headers ?? {}).find((name) => ITS_OWN.test(name))
  if (own !== undefined) throw invalid(`headers.${own}`)
  return message
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw invalid('')
  }
}

export const invalid = (property: string): Refused =>
  new Refused(
    400,
    'BadRequest',
    `Request body validation error.${property && ` See property '${property}'`}`,
  )

const addresses = (list: Message['replyTo'] = []): string[] => list.map(({ address }) => address)

/** All recipients of the message, each once. */
export function recipientsOf({ recipients: { to, cc, bcc } }: Message): string[] {
  const all = [...addresses(to), ...addresses(cc), ...addresses(bcc)]
  return [...new Map(all.map((address) => [address.toLowerCase(), address])).values()]
}

const MESSAGE_ID = /^<[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+>$/
const VALIDATES = 'x-ms-acsemail-validate-message-id'

/** A header by its name, in any case. */
const headerOf = ({ headers = {} }: Message, name: string): string | undefined =>
  Object.entries(headers).find(([written]) => written.toLowerCase() === name)?.[1]

/** The sender's Message-ID. An invalid one is refused only if the sender requires it. */
export function wantedMessageId(message: Message, used: ReadonlySet<string>): string | undefined {
  const wanted = headerOf(message, 'message-id')
  if (wanted === undefined) return undefined
  if (MESSAGE_ID.test(wanted) && !used.has(wanted)) return wanted
  if (headerOf(message, VALIDATES)?.toLowerCase() === 'true') throw invalid('headers.Message-ID')
  return undefined
}

/** The headers of the sent message, without instructions to the service. */
export function travellingHeaders({ headers = {} }: Message): Record<string, string> {
  const travels = (name: string) => !/^(x-ms-acsemail-.*|message-id)$/i.test(name)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => travels(name)))
}
