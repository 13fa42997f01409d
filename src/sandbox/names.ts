/** The sandbox's fixed names and loopback addresses. */

export const SANDBOX = {
  nameserverZone: 'ns.mailstead.test',
  mailHost: 'mx.mailstead.test',
  rootAddresses: ['127.0.0.2'],
  /** The servers of `test.` and `example.`, with their names. */
  parents: [
    { name: 'a.parent.test', address: '127.0.0.3' },
    { name: 'b.parent.test', address: '127.0.0.4' },
  ],
  /** The host of the sandbox's outside mailboxes: it receives and sends their mail. */
  postboxAddress: '127.0.0.5',
  postboxHost: 'postbox.inbox.test',
  mailDomains: ['inbox.test', 'bounces.test', 'defers.test', 'slow.test'],
} as const

/** Names that sandbox domains must not have, besides the platform's own. */
export const RESERVED_IN_SANDBOX: readonly string[] = [...SANDBOX.mailDomains, 'parent.test']
