/** The SMTP session a message came in. */
export type Session = {
  remoteAddress: string
  helo: string
  /** '' for the null reverse-path. */
  envelopeSender: string
}
