/** The SMTP session in which a message arrived. */
export type Session = {
  remoteAddress: string
  helo: string
  /** '' for the null reverse-path. */
  envelopeSender: string
}
