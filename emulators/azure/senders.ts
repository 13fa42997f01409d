/** senderUsernames: the localparts that may send. */
import { z } from 'zod'
import type { EmulatedAnswer } from '../server.ts'
import { Refused } from './answers.ts'
import { type ArmCall, badRequest, framed, notFound, paged, READ_ONLY, readBody } from './call.ts'
import { parentDomainOf } from './domains.ts'
import type { Cloud, Domain, SenderUsername } from './state.ts'

/** The one every domain has from the start. */
export const DEFAULT_SENDER = 'donotreply'

const USERNAME = /^[a-z0-9]([a-z0-9._+-]{0,62}[a-z0-9])?$/i

const SENDER_BODY = z.strictObject({
  ...READ_ONLY,
  properties: z.strictObject({
    provisioningState: z.unknown().optional(),
    dataLocation: z.unknown().optional(),
    username: z.string().regex(USERNAME),
    displayName: z.string().optional(),
  }),
})

export function putSender(call: ArmCall): EmulatedAnswer {
  const domain = parentDomainOf(call)
  const { username, displayName } = readBody(call, SENDER_BODY).properties
  const key = call.names[2]!.toLowerCase()
  if (username.toLowerCase() !== key) {
    throw badRequest('The username is not the name of the resource.')
  }
  if (key !== DEFAULT_SENDER && !call.cloud.settings.senderUsernamesAllowed) throw overQuota()
  const isNew = !domain.senders.has(key)
  const sender = { username, displayName }
  domain.senders.set(key, sender)
  return { status: isNew ? 201 : 200, json: showSender(call.cloud, domain, sender) }
}

/** The refusal at the default limits is documented; its status and code are our guess. */
const overQuota = (): Refused =>
  new Refused(
    403,
    'SenderUsernameQuotaExceeded',
    'Sender usernames are not available at the default sending limits. Request a quota increase.',
  )

function showSender(cloud: Cloud, domain: Domain, { username, displayName }: SenderUsername) {
  const path = `emailServices/${domain.emailService}/domains/${domain.name}/senderUsernames/${username}`
  return framed(cloud, path, domain, {
    dataLocation: domain.dataLocation,
    username,
    ...(displayName !== undefined && { displayName }),
    provisioningState: 'Succeeded',
  })
}

export function getSender(call: ArmCall): EmulatedAnswer {
  const domain = parentDomainOf(call)
  const sender = domain.senders.get(call.names[2]!.toLowerCase())
  if (!sender) throw notFound(`emailServices/domains/senderUsernames/${call.names[2]}`)
  return { status: 200, json: showSender(call.cloud, domain, sender) }
}

export function listSenders(call: ArmCall): EmulatedAnswer {
  const domain = parentDomainOf(call)
  const senders = [...domain.senders.values()]
  return paged(
    call,
    senders.map((sender) => showSender(call.cloud, domain, sender)),
  )
}

export function deleteSender(call: ArmCall): EmulatedAnswer {
  const { senders } = parentDomainOf(call)
  return { status: senders.delete(call.names[2]!.toLowerCase()) ? 200 : 204 }
}
