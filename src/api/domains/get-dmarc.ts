import { z } from 'zod'
import { proposedPolicy } from '#domains/dmarc-ladder.ts'
import { ownPolicy } from '#policy/dmarc.ts'
import { type DayRange, readReports, reportedDailySources } from '#store/dmarc-reports.ts'
import { claimOf, type DomainRow, recordsOf } from '#store/domains.ts'
import { API_PREFIX, type ApiContext } from '../http/context.ts'
import type { Http } from '../http/http.ts'
import { Invalid } from '../http/problems.ts'
import { keyOf, needs } from '../http/route.ts'
import { domainParams, SUCCESS } from '../http/shapes.ts'
import { dmarcShown } from './answers.ts'
import { loadDomain } from './load-domain.ts'

const day = z.iso
  .date('value is not a date')
  .optional()
  .meta({ examples: ['2026-11-30'] })

const querystring = z.object({
  from: day.describe('The first day, in UTC; 29 days before `to` by default.'),
  to: day.describe('The last day, in UTC; today by default.'),
})

const DAY_MS = 86_400_000
const DAYS = 30
const MOST_DAYS = 366
const LIMITS = { sources: 100, reporters: 50 }

/** GET /domains/{domain_id}/dmarc: what receivers report about the mail of the domain. */
export function getDmarcRoute(app: Http, context: ApiContext): void {
  const { store } = context
  app.get(
    `${API_PREFIX}/domains/:domain_id/dmarc`,
    {
      schema: {
        operationId: 'getDmarc',
        summary: 'Shows what receivers report about the mail of a domain',
        description:
          'Uses the aggregate reports whose own messages passed DMARC. Other reports may be forged: they are only counted.',
        params: domainParams,
        querystring,
        response: { 200: dmarcShown },
        problems: ['domain_not_found'],
      },
      ...needs(context, 'domains:read'),
    },
    async (request) => {
      const { row } = await loadDomain(store, keyOf(request), request.params.domain_id)
      const range = rangeOf(request.query, context.now())
      const { claimId } = await claimOf(store, row)
      const { days, sources, reporters, counts } = await readReports(store, claimId, range, LIMITS)
      const sum = (of: (day: (typeof days)[number]) => number) =>
        days.reduce((total, each) => total + of(each), 0)
      return {
        ...SUCCESS,
        message: 'DMARC reports retrieved successfully',
        domain_id: row.id,
        ...range,
        totals: {
          messages: sum(({ messages }) => messages),
          aligned: sum(({ aligned }) => aligned),
          reports: counts.authentic,
          unauthenticated_reports: counts.others,
        },
        days: days.map((each) => ({ ...each, day: dayOf(each.day) })),
        sources: sources.map((each) => ({
          source_ip: each.sourceIp,
          header_from: each.headerFrom,
          envelope_from: each.envelopeFrom,
          disposition: each.disposition,
          messages: each.messages,
          dkim_aligned: each.dkim,
          spf_aligned: each.spf,
          aligned: each.aligned,
        })),
        reporters: reporters.map(({ isAuthentic, ...each }) => ({
          ...each,
          authenticated: isAuthentic,
        })),
        ...(await policyOf(context, row, claimId)),
      }
    },
  )
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10)

function rangeOf(
  asked: { from?: string | undefined; to?: string | undefined },
  now: Date,
): DayRange {
  const to = asked.to ?? dayOf(now)
  const from = asked.from ?? dayOf(new Date(Date.parse(to) - (DAYS - 1) * DAY_MS))
  const length = (Date.parse(to) - Date.parse(from)) / DAY_MS
  if (length >= 0 && length < MOST_DAYS) return { from, to }
  const msg = `must be at most ${MOST_DAYS} days, and end no earlier than it begins`
  throw new Invalid([{ loc: ['query', 'from'], msg, type: 'value_error.datetime' }])
}

/** The policy that we publish, and the next one that the reports of the last 30 days allow or demand. */
async function policyOf({ store, now }: ApiContext, row: DomainRow, claimId: string) {
  const records = await recordsOf(store.db, row.id)
  const published = records.find(({ purpose }) => purpose === 'dmarc')
  if (!published || !row.activated_at) return { policy: null, proposal: null }
  const policy = ownPolicy(published.value)
  const today = now()
  const range = rangeOf({}, today)
  const daily = await reportedDailySources(store, claimId, range)
  // A source that once sent aligned mail is one of the domain's own.
  const known = new Set(daily.filter(({ aligned }) => aligned > 0).map(({ source }) => source))
  const reported = daily.map((each) => ({ ...each, isKnown: known.has(each.source) }))
  const proposal = proposedPolicy(policy, row.activated_at, reported, today)
  if (!proposal) return { policy, proposal: null }
  const { messages, aligned, unknownSources } = proposal.evidence
  return {
    policy,
    proposal: {
      policy: proposal.policy,
      since: proposal.since.toISOString(),
      evidence: { messages, aligned, unknown_sources: [...unknownSources] },
    },
  }
}
