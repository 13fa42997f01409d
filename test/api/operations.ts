/** Every operation of the public API that is built: what it needs, and whose absence it tells of. */
import type { Answer, Client } from '../client.ts'

/** `{domain}` and `{inbox}` stand for the ids of a domain and of an inbox. */
export type Operation = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  scope: string
  body: string | undefined
  /** The code of its 404; undefined where it names nothing. */
  absent: string | undefined
}

/** Its log-ins fail at once, as the port is not of mail. */
const ELSEWHERE = {
  email_address: 'kim@elsewhere.example',
  display_name: 'Kim',
  inbox_type: 'CUSTOM_SMTP',
  smtp_host: '127.0.0.1',
  smtp_port: 1,
  smtp_username: 'kim',
  smtp_password: 'secret',
  imap_host: '127.0.0.1',
  imap_port: 1,
  imap_username: 'kim',
  imap_password: 'secret',
}

// biome-ignore format: a table
export const OPERATIONS: readonly Operation[] = [
  operation('POST',   '/domains',                              'domains:create',         undefined, '{"domain":"operation.test"}'),
  operation('GET',    '/domains',                              'domains:read',           undefined),
  operation('GET',    '/domains/{domain}',                     'domains:read',           'domain_not_found'),
  operation('POST',   '/domains/{domain}/activate',            'domains:update',         'domain_not_found'),
  operation('POST',   '/domains/{domain}/dkim/rotate',         'domains:update',         'domain_not_found'),
  operation('GET',    '/domains/{domain}/progress',            'domains:read',           'domain_not_found'),
  operation('GET',    '/domains/{domain}/dmarc',               'domains:read',           'domain_not_found'),
  operation('GET',    '/domains/{domain}/removal',             'domains:read',           'removal_not_found'),
  operation('GET',    '/domains/{domain}/redirect',            'domains:read',           'domain_not_found'),
  operation('POST',   '/domains/{domain}/redirect',            'domains:update',         'domain_not_found', '{"target_domain":"elsewhere.example"}'),
  operation('DELETE', '/domains/{domain}/redirect',            'domains:update',         'domain_not_found'),
  operation('POST',   '/sender-accounts/coldsend-native',      'sender_accounts:create', 'domain_not_found', '{"domain_id":"{domain}","email_prefix":"op","display_name":"Op"}'),
  operation('POST',   '/sender-accounts/smtp',                 'sender_accounts:create', undefined, JSON.stringify(ELSEWHERE)),
  operation('GET',    '/sender-accounts',                      'sender_accounts:read',   undefined),
  operation('POST',   '/sender-accounts/{inbox}/test-email',   'sender_accounts:update', 'sender_account_not_found', '{"recipient_email":"someone@inbox.test"}'),
  operation('GET',    '/sender-accounts/{inbox}',              'sender_accounts:read',   'sender_account_not_found'),
  operation('PUT',    '/sender-accounts/{inbox}',              'sender_accounts:update', 'sender_account_not_found', '{"daily_limit":50}'),
  operation('GET',    '/sender-accounts/{inbox}/health',       'sender_accounts:read',   'sender_account_not_found'),
  operation('POST',   '/sender-accounts/{inbox}/test',         'sender_accounts:update', 'sender_account_not_found'),
  operation('POST',   '/sender-accounts/{inbox}/pause',        'sender_accounts:update', 'sender_account_not_found'),
  operation('POST',   '/sender-accounts/{inbox}/resume',       'sender_accounts:update', 'sender_account_not_found'),
  operation('POST',   '/sender-accounts/coldsend-native/bulk', 'sender_accounts:create', 'domain_not_found', '{"domain_id":"{domain}","inboxes":[{"email_prefix":"bulk","display_name":"Bulk"}]}'),
  operation('POST',   '/sender-accounts/bulk/delete',          'sender_accounts:delete', undefined, '{"inbox_ids":["{inbox}"],"confirm_deletion":true}'),
  operation('POST',   '/sender-accounts/{inbox}/app-passwords', 'app_passwords:create', 'sender_account_not_found', '{"name":"Phone"}'),
  operation('GET',    '/sender-accounts/{inbox}/app-passwords', 'app_passwords:read',   'sender_account_not_found'),
  operation('GET',    '/suppressions',                         'suppressions:read',      undefined),
  operation('POST',   '/suppressions',                         'suppressions:create',    undefined, '{"email_address":"someone@inbox.test"}'),
  operation('POST',   '/suppressions/import',                  'suppressions:create',    undefined, '{"email_addresses":["someone@inbox.test"]}'),
  operation('DELETE', '/sender-accounts/{inbox}',              'sender_accounts:delete', 'sender_account_not_found'),
  operation('GET',    '/messages',                             'sender_accounts:read',   undefined),
  operation('GET',    '/replies',                              'replies:read',           undefined),
  operation('GET',    '/events',                               'events:read',            undefined),
  operation('POST',   '/keys',                                 'keys:create',            undefined, '{"name":"op","scopes":["keys:create"]}'),
  operation('GET',    '/keys',                                 'keys:read',              undefined),
  operation('GET',    '/domains/{domain}/mail',                'replies:read',           'domain_not_found'),
  operation('DELETE', '/domains/{domain}',                     'domains:delete',         'domain_not_found'),
]

// biome-ignore format: a table
export const SANDBOX_OPERATIONS = [
  ['PUT',    '/registrar/operation.test/nameservers', '{"nameservers":["ada.ns.mailstead.test"]}'],
  ['GET',    '/registrar/operation.test/nameservers', undefined],
  ['DELETE', '/registrar/operation.test/nameservers', undefined],
  ['PUT',    '/outcomes/operation.test',              '{"stage":"zone_ready","outcome":"slow"}'],
  ['DELETE', '/outcomes/operation.test',              undefined],
  ['POST',   '/mail',                                 '{"from":"a@inbox.test","to":"b@operation.test"}'],
  ['GET',    '/mail?to=someone@inbox.test',           undefined],
] as const

function operation(
  method: Operation['method'],
  path: string,
  scope: string,
  absent: string | undefined,
  body?: string,
): Operation {
  return { method, path, scope, absent, body }
}

export type Ids = { domain: string; inbox: string }

export const nameOf = ({ method, path }: Operation): string => `${method} ${path}`

/** Asks for an operation on these things. */
export function ask(
  client: Client,
  { method, path, body }: Operation,
  ids: Ids,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const withIds = (text: string) =>
    text.replace('{domain}', ids.domain).replace('{inbox}', ids.inbox)
  return client.request(
    method,
    `/api/public/v1${withIds(path)}`,
    body === undefined ? undefined : withIds(body),
    headers,
  )
}
