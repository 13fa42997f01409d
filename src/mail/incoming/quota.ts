/** How much mail may be kept, and the reply when it is more. Pure. */
import type { RecipientVerdict } from './recipient.ts'

/** The most octets kept; 0: no limit. */
export type Quotas = { inbox: number; domain: number; workspace: number }

/** Octets kept by an inbox, its domain and its workspace. */
export type Usage = Quotas

/** Why an inbox takes no more mail for now (RFC 3463: X.2.2); undefined where it takes mail. */
export function verdictOnUsage(usage: Usage, quotas: Quotas): RecipientVerdict | undefined {
  const full = (['inbox', 'domain', 'workspace'] as const).find(
    (of) => quotas[of] > 0 && usage[of] >= quotas[of],
  )
  return full && { is: 'deferred', code: 452, enhanced: '4.2.2', text: TEXTS[full] }
}

const TEXTS = {
  inbox: 'Mailbox full',
  domain: 'The mailboxes of this domain are full',
  // Outsiders must not learn which domains share a workspace.
  workspace: 'The mailboxes of this domain are full',
}
