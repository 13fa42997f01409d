/**
 * The submission server (RFC 6409, RFC 8314): takes mail from programs that log in to an inbox, over TLS only.
 * The caller passes in who logs in, and what becomes of messages.
 */
import type { SMTPServerAddress, SMTPServerAuthentication, SMTPServerSession } from 'smtp-server'
import type { LogIn } from '#mail/submission/log-in.ts'
import type { Submitted } from '#mail/submission/submit.ts'
import { appPasswordId, isAppPassword } from '#names/app-password.ts'
import { isAddress } from '#names/localpart.ts'
import { Guesses } from './guesses.ts'
import { RECIPIENT_LIMIT } from './inbound.ts'
import {
  type Listener,
  type ListenerOptions,
  listenSmtp,
  type Protocol,
  type Tools,
} from './listener.ts'
import { checkParameters, settle, smtpError } from './replies.ts'

export type SubmissionOptions = ListenerOptions & {
  /** TLS from the first octet (port 465); otherwise STARTTLS (port 587). */
  isImplicitTls: boolean
  /** Whom a password logs in; undefined for none, and once it is revoked. */
  findLogIn(passwordId: string): Promise<LogIn | undefined>
  onLogIn(logIn: LogIn): void
  /** Whether the recipient gets no mail from the inbox's workspace. */
  isSuppressed(logIn: LogIn, recipient: string): Promise<boolean>
  /** Stores the message durably, refuses it, or throws: the client then tries again. */
  submit(raw: Uint8Array, recipients: readonly string[], logIn: LogIn): Promise<Submitted>
}

/** RFC 1870 and RFC 6152. */
const MAIL_PARAMETERS: readonly string[] = ['SIZE', 'BODY']

export const listenSubmission = (
  options: SubmissionOptions,
  guesses = new Guesses(),
): Promise<Listener> => listenSmtp(options, (tools) => submissionProtocol(options, guesses, tools))

const logInOf = (session: SMTPServerSession): LogIn => session.user

type Credentials = Pick<SMTPServerAuthentication, 'username' | 'password' | 'authzid'>

function submissionProtocol(
  options: SubmissionOptions,
  guesses: Guesses,
  { troubled }: Tools,
): Protocol {
  async function logIn(credentials: Credentials, session: SMTPServerSession): Promise<LogIn> {
    const { remoteAddress } = session
    if (guesses.areTooMany(remoteAddress))
      throw smtpError(454, '4.7.0', 'Too many failed log-ins, try again later')
    const found = await whoIs(credentials)
    if (!found) {
      guesses.failed(remoteAddress)
      throw smtpError(535, '5.7.8', 'The address or the password is wrong')
    }
    options.onLogIn(found)
    return found
  }

  async function whoIs({ username = '', password, authzid }: Credentials) {
    const id = appPasswordId(password ?? '')
    if (id === undefined) return undefined
    const found = await options.findLogIn(id).catch(() => {
      throw smtpError(454, '4.7.0', 'Log-ins cannot be checked for now, try again later')
    })
    // RFC 4616: an identity to act for, which only ever is the own one.
    const asked = [username, authzid || username].map((name) => name.toLowerCase())
    const isRight = found && asked.every((name) => name === found.address)
    return isRight && isAppPassword(password ?? '', found.hash) ? found : undefined
  }

  /** Asked again for each message: a password may have been revoked since the log-in. */
  async function mailFrom(sender: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    checkParameters(sender, MAIL_PARAMETERS)
    if (!session.user) throw smtpError(530, '5.7.0', 'Authentication required')
    const found = await options.findLogIn(logInOf(session).passwordId).catch(troubled)
    if (!found) throw smtpError(530, '5.7.0', 'The password is not valid any more')
    if (sender.address.toLowerCase() !== found.address)
      throw smtpError(550, '5.7.1', `Only ${found.address} can send with this log-in`)
    session.user = found
  }

  async function rcpt({ address, args }: SMTPServerAddress, session: SMTPServerSession) {
    checkParameters({ address, args }, [])
    if (session.envelope.rcptTo.length >= RECIPIENT_LIMIT)
      throw smtpError(452, '4.5.3', 'Too many recipients')
    if (!isAddress(address)) throw smtpError(553, '5.1.3', 'This is not an address we can send to')
    if (await options.isSuppressed(logInOf(session), address).catch(troubled))
      throw smtpError(550, '5.7.1', 'The recipient gets no mail from here')
  }

  return {
    options: {
      secure: options.isImplicitTls,
      authMethods: ['PLAIN', 'LOGIN'],
      // The addresses of inboxes are ASCII.
      hideSMTPUTF8: true,
      hideREQUIRETLS: true,
      // A program that sees AUTH before STARTTLS may show its password to everybody (RFC 4954 section 4).
      onConnect: (session, reply) => {
        if (!options.isImplicitTls) session.disabledCommands = ['AUTH']
        reply()
      },
      onSecure: (_socket, session, reply) => {
        session.disabledCommands = []
        reply()
      },
      onAuth: (credentials, session, reply) => {
        logIn(credentials, session).then(
          (user) => reply(null, { user }),
          (error) => reply(error),
        )
      },
      onMailFrom: (address, session, reply) => settle(mailFrom(address, session), reply),
      onRcptTo: (address, session, reply) => settle(rcpt(address, session), reply),
    },
    async onMessage(raw, session) {
      const recipients = session.envelope.rcptTo.map(({ address }) => address)
      const submitted = await options
        .submit(raw, [...new Set(recipients)], logInOf(session))
        .catch(troubled)
      if (submitted.is === 'refused')
        throw smtpError(submitted.code, submitted.enhanced, submitted.text)
    },
  }
}
