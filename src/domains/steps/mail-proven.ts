/** mail_proven: a real message went out through the sender, came in, and was judged. */
import { createHash, randomBytes } from 'node:crypto'
import { probeAddress } from '#mail/incoming/recipient.ts'
import { bounceDomain } from '#mail/outgoing/bounce-address.ts'
import { compose } from '#mail/outgoing/compose.ts'
import { absolute } from '#names/domain-name.ts'
import { PATH_LIMIT } from '#names/localpart.ts'
import { clamp, days, hours, minutes, seconds } from '../../clock.ts'
import type { OwnedRecord, Probe, ProbeJudgement } from '../ports.ts'
import { met, type Pass, type Step, waiting } from '../step.ts'
import type { Verdict } from '../types.ts'

/** A probe that has not come back is sent again after this long. */
const SEND_AGAIN_MS = { least: minutes(2), most: hours(1) }
/** After one that did not pass, the next follows soon: a record may have changed meanwhile. */
const FOLLOW_SOONEST_MS = seconds(10)
const PROOF_KEPT_MS = days(30)
/** How long a proof stays valid while the probe that renews it is under way. */
const RENEWAL_MS = days(1)

export const mailProven: Step = {
  async ensure(pass) {
    const { domain, ports } = pass
    if (ports.probeHost === undefined) return NOT_PROVEN
    const fingerprint = fingerprintOf(await recordsInUse(pass))
    const probe = await ports.probes.latest(domain)
    const waitedMs = domain.conditions.get('mail_proven')?.waitedMs ?? 0
    if (probe === undefined || isStale(probe, fingerprint, waitedMs, ports.clock.now())) {
      await sendProbe(pass, fingerprint, await probeRecipient(pass, ports.probeHost))
      return whileUnderWay(pass, fingerprint)
    }
    if (!probe.judgement) return whileUnderWay(pass, fingerprint)
    return verdictOn(probe.judgement, ports.sender.promisesSpf, domain.name)
  },
  async remove({ domain, ports }) {
    await ports.probes.forget(domain)
  },
}

const NOT_PROVEN: Verdict = {
  is: 'not_applicable',
  reason: 'not_proven',
  message:
    'Not proven: no mail from outside reaches this installation, so no test message can return.',
}
const UNDER_WAY = waiting('probe_under_way', 'A test message is on its way from the domain to us.')

/** A proof stays valid during its renewal, until the next probe is judged. */
async function whileUnderWay({ domain, ports }: Pass, fingerprint: string): Promise<Verdict> {
  const last = await ports.probes.lastJudged(domain)
  if (last?.fingerprint !== fingerprint) return UNDER_WAY
  const now = ports.clock.now().getTime()
  const renewingMs = now - (last.followedAt?.getTime() ?? now)
  const verdict = verdictOn(last.judgement, ports.sender.promisesSpf, domain.name)
  return verdict.is === 'met' && renewingMs < RENEWAL_MS ? met : UNDER_WAY
}

/** Without records of idle keys: a rotation needs a new proof only when the signing key changes. */
async function recordsInUse({ domain, ports, signal }: Pass): Promise<OwnedRecord[]> {
  const records = await ports.records.list(domain)
  const keys = (await ports.sender.rotation?.keys(domain.claim, signal)) ?? []
  const idle = keys.filter(({ state }) => state !== 'signing').map(({ name }) => name)
  return records.filter(({ name }) => !idle.includes(name))
}

/** A proof is valid while the mail records stay the same. */
function fingerprintOf(records: readonly OwnedRecord[]): string {
  const ofMail = records.filter(({ purpose }) => purpose !== 'redirect')
  const lines = ofMail.map(({ name, type, value }) => `${name} ${type} ${value}`).toSorted()
  return createHash('sha256').update(lines.join('\n')).digest('base64url')
}

function isStale(probe: Probe, fingerprint: string, waitedMs: number, now: Date): boolean {
  if (probe.sentAt === undefined) return true // Killed between `open` and `sent`.
  const ageMs = now.getTime() - probe.sentAt.getTime()
  if (probe.fingerprint !== fingerprint || ageMs > PROOF_KEPT_MS) return true
  const isGood = probe.judgement?.dmarc.result === 'pass'
  const leastMs = probe.judgement ? FOLLOW_SOONEST_MS : SEND_AGAIN_MS.least
  return !isGood && ageMs > clamp(waitedMs / 4, leastMs, SEND_AGAIN_MS.most)
}

/**
 * Aligned DKIM and DMARC must pass; aligned SPF where the sender service promises it. The bounce domain
 * counts as aligned for SPF, even under the customer's own `aspf=s`.
 */
export function verdictOn(
  { spf, dkim, dmarc }: ProbeJudgement,
  promisesSpf: boolean,
  domain: string,
): Verdict {
  const isOfDomain = spf.aligned || spf.domain === bounceDomain(domain)
  const spfPasses = !promisesSpf || (spf.result === 'pass' && isOfDomain)
  const dkimPasses = dkim.result === 'pass' && dkim.aligned
  if (spfPasses && dkimPasses && dmarc.result === 'pass') return met
  const said = `SPF ${spf.result}, DKIM ${dkim.result}, DMARC ${dmarc.result}`
  return waiting('authentication_failed', `The test message arrived, but did not pass: ${said}.`)
}

/**
 * If mail for the domain comes here, the probe goes to the domain itself, and proves that too. The address
 * has 128 random bits: nobody else can make a probe arrive.
 */
async function probeRecipient({ domain, ports }: Pass, probeHost: string): Promise<string> {
  const token = randomBytes(16).toString('hex')
  const records = await ports.records.list(domain)
  const comesHere = records.some(
    ({ purpose, value }) => purpose === 'mx' && value.endsWith(` ${absolute(ports.mailHost)}`),
  )
  const returning = probeAddress(token, domain.name)
  return comesHere && returning.length <= PATH_LIMIT ? returning : `${token}@${probeHost}`
}

async function sendProbe(
  { domain, ports, signal }: Pass,
  fingerprint: string,
  recipient: string,
): Promise<void> {
  await ports.probes.open(domain, { recipient, fingerprint })
  const mail = await compose(
    {
      origin: 'probe',
      author: { localpart: ports.sender.standingAuthor, displayName: 'Mailstead' },
      recipient,
      subject: `Test of ${domain.name}`,
      text: `This message proves that mail from ${domain.name} arrives and is authenticated.\n`,
      // RFC 3834 section 5: no automatic answers to an automatic message.
      headers: { 'Auto-Submitted': 'auto-generated' },
    },
    domain.name,
  )
  await ports.sender.send(domain.claim, mail, signal)
  await ports.probes.sent(recipient)
}
