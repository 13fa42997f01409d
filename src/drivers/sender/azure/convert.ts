/** Converts between Azure's terms and ours. */
import PostalMime, { type Email as Mail } from 'postal-mime'
import { absolute, ancestorsOf, isWithin } from '#names/domain-name.ts'
import type { NeededRecord, Purpose } from '../../records.ts'
import type { ClaimRef, OutgoingMail } from '../contract.ts'
import type { ArmDomain, Provisioned } from './arm.ts'
import type { Email } from './data-plane.ts'

const TTL_S = 300

/** The tag that carries the claim's stamp. */
export const STAMP = 'mailstead-claim'
export const stampOf = ({ claimId }: ClaimRef): Record<string, string> => ({ [STAMP]: claimId })
export const isOurs = ({ claimId }: ClaimRef, { tags }: ArmDomain): boolean =>
  tags?.[STAMP] === claimId

/** The checks, in the order of initiation: ownership first. */
export const VERIFICATIONS = ['Domain', 'SPF', 'DKIM', 'DKIM2'] as const
export type VerificationType = (typeof VERIFICATIONS)[number]

const PURPOSES: Record<VerificationType, Purpose> = {
  Domain: 'verification',
  SPF: 'spf',
  DKIM: 'dkim',
  DKIM2: 'dkim',
}

export type Progress = 'ready' | 'in_passage' | 'failed' | 'unknown'

/** The progress of a resource's creation. A state of Azure's that we do not know is `unknown`. */
export function progressOf({ provisioningState: state = 'Unknown' }: Provisioned): Progress {
  // biome-ignore format: a table
  const known: Record<string, Progress> = {
    Succeeded: 'ready',
    Creating: 'in_passage', Updating: 'in_passage', Running: 'in_passage', Moving: 'in_passage',
    Deleting: 'in_passage', Unknown: 'in_passage',
    Failed: 'failed', Canceled: 'failed',
  }
  return known[state] ?? 'unknown'
}

/** Undefined until Azure returns all of them. */
export function recordsOf({ name }: ClaimRef, domain: ArmDomain): NeededRecord[] | undefined {
  const given = domain.properties.verificationRecords ?? {}
  const records = VERIFICATIONS.map((type): NeededRecord | undefined => {
    const record = given[type]
    if (record === undefined || !record.value) return undefined
    const isAlias = record.type.toUpperCase() === 'CNAME'
    return {
      name: ownerOf(record.name, name),
      type: isAlias ? 'CNAME' : 'TXT',
      ttl: TTL_S,
      data: [isAlias ? absolute(record.value) : record.value],
      purpose: PURPOSES[type],
    }
  })
  return records.includes(undefined) ? undefined : (records as NeededRecord[])
}

/** Azure gives names relative, absolute, with and without a trailing dot, and as `@`. */
function ownerOf(written: string, name: string): string {
  const bare = written.replace(/\.$/, '').toLowerCase()
  if (bare === '' || bare === '@') return absolute(name)
  if (isWithin(bare, name)) return absolute(bare)
  // Relative to a zone above the domain, the name ends with the domain's own labels.
  const above = ancestorsOf(name).find((ancestor) => isWithin(`${bare}.${ancestor}`, name))
  return absolute(`${bare}.${above ?? name}`)
}

export type CheckState = 'verified' | 'not_started' | 'under_way' | 'failed' | 'unknown'

export function checkStateOf(status: string | undefined): CheckState {
  const known: Record<string, CheckState> = {
    Verified: 'verified',
    NotStarted: 'not_started',
    VerificationRequested: 'under_way',
    VerificationInProgress: 'under_way',
    CancellationRequested: 'under_way',
    VerificationFailed: 'failed',
  }
  return known[status ?? 'NotStarted'] ?? 'unknown'
}

/** Headers that Azure makes itself from the other parts of the call. */
const MADE_BY_AZURE = /^(from|to|subject|date|mime-version|reply-to|content-.*)$/

/** The API takes parts, not octets: we parse the message, and Azure composes it again. */
export async function emailOf(
  { author, recipient, content }: OutgoingMail,
  { name }: ClaimRef,
): Promise<Email> {
  const mail = await PostalMime.parse(content, { attachmentEncoding: 'base64' })
  const own = mail.headers.filter(({ key }) => !MADE_BY_AZURE.test(key))
  const replyTo = mail.replyTo?.flatMap(({ address }) => (address ? [{ address }] : [])) ?? []
  const attachments = mail.attachments.map(attachmentOf)
  return {
    senderAddress: `${author}@${name}`,
    recipients: { to: [{ address: recipient }] },
    content: {
      subject: mail.subject ?? '',
      ...(mail.text === undefined ? {} : { plainText: mail.text }),
      ...(mail.html === undefined ? {} : { html: mail.html }),
    },
    headers: Object.fromEntries(own.map(({ originalKey, value }) => [originalKey, value])),
    ...(replyTo.length > 0 && { replyTo }),
    ...(attachments.length > 0 && { attachments }),
    userEngagementTrackingDisabled: true,
  }
}

const attachmentOf = ({ filename, mimeType, content }: Mail['attachments'][number]) => ({
  name: filename ?? 'attachment',
  contentType: mimeType,
  contentInBase64: String(content),
})
