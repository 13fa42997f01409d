/** How much mail is kept, and what is answered beyond it. Pure. */
import type { RecipientVerdict } from './recipient.ts'

/** Octets that may be held; 0: without limit. */
export type Quotas = { inbox: number; domain: number; workspace: number }

/** Octets that are held by an inbox, its domain and its workspace. */
export type Usage = Quotas

/** Why an inbox takes no more mail for now (RFC 3463: X.2.2); undefined where it does. */
export function verdictOnUsage(usage: Usage, quotas: Quotas): RecipientVerdict | undefined {
  const full = (['inbox', 'domain', 'workspace'] as const).find(
    (of) => quotas[of] > 0 && usage[of] >= quotas[of],
  )
  return full && { is: 'deferred', code: 452, enhanced: '4.2.2', text: TEXTS[full] }
}

const TEXTS = {
  inbox: 'Mailbox full',
  domain: 'The mailboxes of this domain are full',
  // Whose domains belong together is nobody's business.
  workspace: 'The mailboxes of this domain are full',
}
