/** Passwords of a mailbox for single programs. Nothing makes their names unique. */
import type { Entry, Say, Write } from './entries.ts'
import { hashOf, passwordRefusal } from './passwords.ts'
import { escaped, integer, isEmail, list, text } from './php.ts'
import { addressOf, type Mailcow, mailboxAt, stamp } from './state.ts'

const PROTOCOLS = [
  'imap_access',
  'smtp_access',
  'dav_access',
  'eas_access',
  'pop3_access',
  'sieve_access',
]

const addAppPassword: Write = (mailcow, data, say) => {
  const username = text(data.username)
  const mailbox = isEmail(username) ? mailboxAt(mailcow, username) : undefined
  if (mailbox === undefined) return [say('danger', 'access_denied')]
  const refusal = passwordRefusal(mailcow, data.app_passwd, data.app_passwd2)
  if (refusal) return [refusal]
  const name = text(data.app_name).trim()
  if (name === '') return [say('danger', 'app_name_empty')]
  mailcow.appPasswords.add({
    name,
    mailbox: addressOf(mailbox),
    hash: hashOf(text(data.app_passwd)),
    protocols: list(data.protocols).map(text),
    active: integer(data.active),
    created: stamp(mailcow),
    modified: null,
  })
  return [say('success', 'app_passwd_added')]
}

const deleteAppPassword: Write = (mailcow, data, say) =>
  list(data.id).map((id) => deleteOne(mailcow, id, say))

function deleteOne(mailcow: Mailcow, id: unknown, say: Say): Entry {
  const wasHere = mailcow.appPasswords.rows.delete(integer(id))
  if (!wasHere) return say('danger', 'app_passwd_id_invalid')
  return say('success', ['app_passwd_removed', escaped(id)])
}

export function appPasswordsOf(mailcow: Mailcow, address: string): unknown[] {
  const rows = [...mailcow.appPasswords.rows]
  const own = rows.filter(([, { mailbox }]) => mailbox === address.toLowerCase())
  return own.map(([id, { name, mailbox, hash, protocols, ...row }]) => ({
    id,
    name,
    mailbox,
    domain: mailboxAt(mailcow, mailbox)?.domain,
    password: hash,
    ...row,
    ...Object.fromEntries(PROTOCOLS.map((name) => [name, Number(protocols.includes(name))])),
  }))
}

export const APP_PASSWORD = { add: addAppPassword, delete: deleteAppPassword }
