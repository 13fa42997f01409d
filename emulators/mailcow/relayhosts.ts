/** Hosts that outgoing mail is relayed to. Nothing is validated, and anyone sees their passwords. */
import type { Write } from './entries.ts'
import { escaped, integer, list, text } from './php.ts'
import { addressOf, type Mailcow } from './state.ts'

const addRelayhost: Write = (mailcow, data, say) => {
  const hostname = text(data.hostname).trim()
  if (hostname === '') return [say('danger', ['invalid_host', ''])]
  const [username, password] = [text(data.username).trim(), text(data.password).trim()]
  mailcow.relayhosts.add({ hostname, username, password })
  return [say('success', ['relayhost_added', ''])]
}

/** Mail that used it is sent directly from then on. */
const deleteRelayhost: Write = (mailcow, data, say) =>
  list(data.id).map((id) => {
    mailcow.relayhosts.rows.delete(integer(id))
    for (const domain of mailcow.domains.values())
      if (domain.relayhost === String(integer(id))) domain.relayhost = '0'
    for (const { attributes } of mailcow.mailboxes.values())
      if (attributes.relayhost === String(integer(id))) attributes.relayhost = '0'
    return say('success', ['relayhost_removed', escaped(id)])
  })

export function relayhostDetails(mailcow: Mailcow, id: number): unknown {
  const row = mailcow.relayhosts.rows.get(id)
  if (row === undefined) return undefined
  const domains = [...mailcow.domains.values()].filter(({ relayhost }) => relayhost === String(id))
  const mailboxes = [...mailcow.mailboxes.values()].filter(
    ({ attributes }) => attributes.relayhost === String(id),
  )
  return {
    id,
    ...row,
    active: 1,
    password_short: `${row.password.slice(0, 3)}...`,
    used_by_domains: domains.map(({ name }) => name).join(', '),
    used_by_mailboxes: mailboxes.map(addressOf).join(', '),
  }
}

export const RELAYHOST = { add: addRelayhost, delete: deleteRelayhost }
