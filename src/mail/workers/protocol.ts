/** The messages between the mail workers and the main thread. */
import type { StoredContent } from '../content.ts'
import type { DnsAnswer } from '../incoming/ask-dns.ts'
import type { OneAttachment } from '../incoming/attachments.ts'
import type { Description } from '../incoming/describe.ts'
import type { Reading } from '../incoming/read.ts'
import type { Refused } from '../incoming/refused.ts'
import type { Authentication } from '../incoming/results.ts'
import type { Session } from '../incoming/session.ts'
import type { Composed, Draft, NotBase64 } from '../outgoing/draft.ts'
import type { DkimKey } from '../outgoing/key.ts'
import type { AggregateReport } from '../reports/aggregate.ts'
import type { Prepared, Submission } from '../submission/prepare.ts'

export type InspectJob = {
  is: 'inspect'
  /** Over shared memory, so that it is not copied. */
  raw: Uint8Array
  session: Session
  /** Judged once as each of these hosts, with that host's resolver. */
  hosts: readonly string[]
}

export type SignJob = { is: 'sign'; raw: Uint8Array; domain: string; key: DkimKey }
type Stored = Omit<StoredContent, 'octets'>
export type ReadJob = { is: 'read'; content: Stored }
export type ReadAttachmentJob = { is: 'read attachment'; content: Stored; index: number }
export type ComposeJob = { is: 'compose'; draft: Draft; domain: string }
export type AggregateJob = { is: 'aggregate'; content: Stored }
export type PrepareJob = { is: 'prepare'; submission: Submission }
export type Job =
  | AggregateJob
  | PrepareJob
  | InspectJob
  | SignJob
  | ReadJob
  | ReadAttachmentJob
  | ComposeJob

export type Inspected = {
  is: 'inspected'
  description: Description
  /** In the order of `hosts`. */
  authentications: readonly Authentication[]
  content: StoredContent
}

export type Result =
  | Refused
  | Inspected
  | { is: 'signed'; raw: Uint8Array }
  | { is: 'read'; reading: Reading }
  | Prepared
  | { is: 'aggregate'; report: AggregateReport | undefined }
  | Composed
  | NotBase64
  | { is: 'read attachment'; attachment: OneAttachment | undefined }

export type ToWorker =
  | { is: 'job'; id: number; job: Job }
  | { is: 'answer'; question: number; answer: DnsAnswer }
  | { is: 'ping' }

export type FromWorker =
  | { is: 'ready' }
  | { is: 'pong' }
  | { is: 'question'; question: number; id: number; host: number; name: string; type: string }
  | { is: 'described'; id: number; description: Description }
  | { is: 'done'; id: number; result: Result }
  | { is: 'failed'; id: number; message: string }
