/** An inbox that a mail program is logged in to. */
export type LogIn = {
  passwordId: string
  hash: string
  inboxId: string
  address: string
  localpart: string
  workspaceId: string
  world: 'live' | 'sandbox'
  claim: { claimId: string; name: string }
  /** The account of the service that sends its mail. */
  account: string
  /** The account of the service that has its mailbox. */
  mailbox: string
}
