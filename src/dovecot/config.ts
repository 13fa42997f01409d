// The configuration of Dovecot 2.3, written from our settings.
import { join } from 'node:path'
import type { Endpoint } from '#names/ip.ts'

/** What the configuration is written from. The user and group are names: Dovecot takes no numbers. */
export type DovecotPlan = {
  readonly user: string
  readonly group: string
  /** Of sockets; Dovecot lets everybody enter it, so that its parent is closed. */
  readonly runDir: string
  /** Of the configuration, the key and the certificate. */
  readonly configDir: string
  readonly stateDir: string
  readonly mailDir: string
  readonly listen: readonly Endpoint[]
  /** 0: no limit. */
  readonly quotaMb: number
}

/** A file for each name, in `configDir`. */
export type ConfigFiles = Readonly<Record<'dovecot.conf' | 'log-ins.conf', string>>

/** The sockets in `runDir` that we use, and the longest name of those that Dovecot makes there. */
export const SOCKETS = { lmtp: 'lmtp', doveadm: 'doveadm-server', logIns: 'log-ins' } as const
export const LONGEST_SOCKET = 'token-login/imap-urlauth'

/** After so long without a command, an idle session shares one process with the others. */
const HIBERNATE_SECONDS = 30
/** Programs open a connection for each folder; several of them may share an address. */
const CONNECTIONS_OF_A_USER = 50

const FOLDERS = {
  Sent: '\\Sent',
  Drafts: '\\Drafts',
  Junk: '\\Junk',
  Trash: '\\Trash',
  Archive: '\\Archive',
}

export const configFiles = (plan: DovecotPlan): ConfigFiles => ({
  'dovecot.conf': mainFile(plan),
  'log-ins.conf': logInsFile(plan),
})

/** Log-ins are asked of us, by the public part of the password: its first 8 characters. */
const logInsFile = ({
  runDir,
}: DovecotPlan): string => `uri = proxy:${join(runDir, SOCKETS.logIns)}:log-ins
iterate_disable = yes
default_pass_scheme = SSHA256
key log-in {
  key = log-in/%8w/%Lu
  format = json
}
passdb_objects = log-in
`

function mainFile(plan: DovecotPlan): string {
  const { user, group, runDir, configDir, stateDir, mailDir } = plan
  return `base_dir = ${runDir}
state_dir = ${stateDir}
log_path = /dev/stderr
protocols = imap lmtp
default_login_user = ${user}
default_internal_user = ${user}
default_internal_group = ${group}
mail_uid = ${user}
mail_gid = ${group}
first_valid_uid = 1
ssl = required
ssl_min_protocol = TLSv1.2
ssl_key = <${join(configDir, 'key.pem')}
ssl_cert = <${join(configDir, 'certificate.pem')}
auth_mechanisms = plain login
passdb {
  driver = dict
  args = ${join(configDir, 'log-ins.conf')}
}
userdb {
  driver = static
  args = home=${mailDir}/%d/%n allow_all_users=yes
}
mail_location = sdbox:~/mail
mail_plugins = quota
mail_max_userip_connections = ${CONNECTIONS_OF_A_USER}
imap_hibernate_timeout = ${HIBERNATE_SECONDS}s
lmtp_hdr_delivery_address = none
protocol imap {
  mail_plugins = quota imap_quota
}
${quota(plan)}${folders()}${services(plan)}`
}

const quota = ({ quotaMb }: DovecotPlan): string => `plugin {
  quota = count:Mailbox
  quota_vsizes = yes
  quota_rule = *:storage=${quotaMb}M
}
`

const folders = (): string => `namespace inbox {
  inbox = yes
${Object.entries(FOLDERS)
  .map(
    ([name, use]) => `  mailbox ${name} {\n    auto = subscribe\n    special_use = ${use}\n  }\n`,
  )
  .join('')}}
`

/** Without root there is no chroot, and nobody to share a socket with. */
const services = ({ listen }: DovecotPlan): string => `service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-urlauth-login {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
${listen.map(listener).join('')}}
${[
  ['imap', 'imap-master'],
  ['imap-hibernate', 'imap-hibernate'],
  ['lmtp', SOCKETS.lmtp],
  ['doveadm', SOCKETS.doveadm],
]
  .map(
    ([name, socket]) => `service ${name} {\n  unix_listener ${socket} {\n    mode = 0600\n  }\n}\n`,
  )
  .join('')}`

const listener = (
  { address, port }: Endpoint,
  index: number,
): string => `  inet_listener imaps${index} {
    address = ${address}
    port = ${port}
    ssl = yes
  }
`
