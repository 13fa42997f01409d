/** Tells the mail of people from that of programs. Pure. */
import type { Report } from '../reports/read-report.ts'

export const KINDS = ['person', 'automatic', 'bounce', 'complaint', 'report'] as const
export type Kind = (typeof KINDS)[number]

/** `valuesOf` gives the values of the fields of a name, in lower case. */
export type Signs = {
  report: Report | undefined
  envelopeSender: string
  subject: string
  valuesOf(name: string): readonly string[]
}

export function kindOf(signs: Signs): Kind {
  const { report } = signs
  if (report?.is === 'complaint') return 'complaint'
  if (report?.is === 'failed') return 'bounce'
  if (isPeriodicReport(signs)) return 'report'
  return report || isAutomatic(signs) ? 'automatic' : 'person'
}

/** Reports on mail traffic: of TLS (RFC 8460 section 5.3), of DMARC (RFC 9990), and of failed authentication. */
function isPeriodicReport({ valuesOf, subject }: Signs): boolean {
  if (valuesOf('tls-report-domain').length > 0 || /^report domain: ?\S/i.test(subject)) return true
  return /^multipart\/report\b.*report-type="?(tlsrpt|feedback-report)/.test(typeOf(valuesOf))
}

const typeOf = (valuesOf: Signs['valuesOf']): string => valuesOf('content-type')[0] ?? ''

/** Fields that only responders write. NOTE: `X-Auto-Response-Suppress` is none of them: people's mail has it, too. */
const RESPONDER_FIELDS = ['x-autoreply', 'x-autorespond', 'x-autoresponse', 'x-mail-autoreply']

/** `list` is missing, because the posts of people to a list have it. */
const PRECEDENCES = ['auto_reply', 'bulk', 'junk']

/** As Exchange, Outlook and others write it before the subject that they answer. */
const AUTOMATIC_SUBJECT = new RegExp(
  `^(${[
    'auto(matic)?[ -]?(reply|response)',
    'out of (the )?office( auto ?reply)?',
    'vacation (reply|response)',
    'automatische antwort',
    'abwesenheitsnotiz',
    'réponse automatique',
    'respuesta automática',
    'risposta automatica',
    'resposta automática',
    'automatisch antwoord',
    'automati(sk|skt|c) svar',
  ].join('|')})( re)?\\s*:`,
  'i',
)

function isAutomatic({ valuesOf, envelopeSender, subject }: Signs): boolean {
  // RFC 3834 section 5: any value but `no`. Responders have a null envelope sender (section 3.3).
  if (valuesOf('auto-submitted').some((value) => !/^no\b/.test(value))) return true
  if (envelopeSender === '' || /^multipart\/report\b/.test(typeOf(valuesOf))) return true
  if (RESPONDER_FIELDS.some((name) => valuesOf(name).some((value) => value !== 'no'))) return true
  if (valuesOf('precedence').some((value) => PRECEDENCES.includes(value))) return true
  return AUTOMATIC_SUBJECT.test(subject)
}
