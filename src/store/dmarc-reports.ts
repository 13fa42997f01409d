/** What receivers report about the mail of a domain, by day and source. */
import { sql } from 'kysely'
import type { ReceivedReport } from '#mail/incoming/receive.ts'
import type { AggregateReport } from '#mail/reports/aggregate.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'

/** A domain gets some dozens a day; a stranger may send more. */
const REPORTS_A_DAY = 500

/**
 * Stores a report about the claim's own domain, once. Without authentication, only the arrival is stored: such a
 * report neither counts nor hides the true one.
 */
export async function keepAggregate(
  { db }: StoreContext,
  { claimId, author, isAuthentic, report }: ReceivedReport,
): Promise<void> {
  const rows = isAuthentic ? report.rows : []
  const column = <T>(of: (row: AggregateReport['rows'][number]) => T) => rows.map(of)
  await sql`
    with kept as (
      insert into dmarc_reports (id, claim_id, author, reporter, report_id, is_authentic, begins_at, ends_at)
      select ${newId()}, c.id, ${author}, ${report.reporter}, ${report.reportId}, ${isAuthentic},
             ${report.begins}, ${report.ends}
        from claims c
       where c.id = ${claimId} and c.name = ${report.domain}
         and (select count(*) from dmarc_reports r
               where r.claim_id = c.id and r.received_at > now() - interval '1 day') < ${REPORTS_A_DAY}
      on conflict do nothing returning id)
    insert into dmarc_rows (report_id, source_ip, messages, disposition, dkim, spf, header_from, envelope_from)
    select kept.id, source_ip, messages, disposition, dkim, spf, header_from, envelope_from
      from kept cross join unnest(
        ${column(({ sourceIp }) => sourceIp)}::inet[], ${column(({ messages }) => messages)}::int[],
        ${column(({ disposition }) => disposition)}::text[], ${column(({ dkim }) => dkim)}::boolean[],
        ${column(({ spf }) => spf)}::boolean[], ${column(({ headerFrom }) => headerFrom)}::text[],
        ${column(({ envelopeFrom }) => envelopeFrom)}::text[])
        as r (source_ip, messages, disposition, dkim, spf, header_from, envelope_from)`.execute(db)
}

/** Days in UTC, both included, as `2026-12-01`. */
export type DayRange = { from: string; to: string }

export type ReportedSource = {
  sourceIp: string
  headerFrom: string
  envelopeFrom: string
  disposition: string
  messages: number
  dkim: number
  spf: number
  aligned: number
}

export type ReportedDay = { day: Date; messages: number; aligned: number }
export type Reporter = { author: string; reporter: string; reports: number; isAuthentic: boolean }

const ROWS = sql`
  from dmarc_reports p join dmarc_rows r on r.report_id = p.id`
const SUMS = sql`
  sum(r.messages)::float8 as messages,
  coalesce(sum(r.messages) filter (where r.dkim or r.spf), 0)::float8 as aligned`

const within = (claimId: string, { from, to }: DayRange) => sql`
  p.claim_id = ${claimId} and p.begins_at >= ${`${from}T00:00:00Z`}::timestamptz
  and p.begins_at < ${`${to}T00:00:00Z`}::timestamptz + interval '1 day'`

export type Reports = {
  days: ReportedDay[]
  sources: ReportedSource[]
  reporters: Reporter[]
  /** How many reports came, by whether their own messages passed DMARC. */
  counts: { authentic: number; others: number }
}

/** The reports of a domain, read from one snapshot: their numbers agree also while another report arrives. */
export const readReports = (
  { db }: StoreContext,
  claimId: string,
  range: DayRange,
  limits: { sources: number; reporters: number },
): Promise<Reports> =>
  db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => ({
      days: await reportedDays(trx, claimId, range),
      sources: await reportedSources(trx, claimId, range, limits.sources),
      reporters: await reporters(trx, claimId, range, limits.reporters),
      counts: await countReports(trx, claimId, range),
    }))

/** The sources with the most messages. */
async function reportedSources(
  db: Database,
  claimId: string,
  range: DayRange,
  limit: number,
): Promise<ReportedSource[]> {
  const { rows } = await sql<ReportedSource>`
    select host(r.source_ip) as "sourceIp", r.header_from as "headerFrom", r.envelope_from as "envelopeFrom",
           r.disposition, ${SUMS},
           coalesce(sum(r.messages) filter (where r.dkim), 0)::float8 as dkim,
           coalesce(sum(r.messages) filter (where r.spf), 0)::float8 as spf
      ${ROWS} where ${within(claimId, range)}
     group by 1, 2, 3, 4 order by messages desc, 1, 2, 3, 4 limit ${limit}`.execute(db)
  return rows
}

async function reportedDays(
  db: Database,
  claimId: string,
  range: DayRange,
): Promise<ReportedDay[]> {
  const { rows } = await sql<ReportedDay>`
    select date_trunc('day', p.begins_at, 'UTC') as day, ${SUMS}
      ${ROWS} where ${within(claimId, range)} group by 1 order by 1`.execute(db)
  return rows
}

/** More than this and the latest days must do. */
const DAILY_SOURCES = 20_000

/** Messages by day and source, the latest days first. */
export async function reportedDailySources(
  { db }: StoreContext,
  claimId: string,
  range: DayRange,
): Promise<(ReportedDay & { source: string })[]> {
  const { rows } = await sql<ReportedDay & { source: string }>`
    select date_trunc('day', p.begins_at, 'UTC') as day, host(r.source_ip) as source, ${SUMS}
      ${ROWS} where ${within(claimId, range)} group by 1, 2 order by 1 desc, 2
     limit ${DAILY_SOURCES}`.execute(db)
  return rows
}

async function countReports(
  db: Database,
  claimId: string,
  range: DayRange,
): Promise<Reports['counts']> {
  const { rows } = await sql<Reports['counts']>`
    select count(*) filter (where is_authentic)::int as authentic,
           count(*) filter (where not is_authentic)::int as others
      from dmarc_reports p where ${within(claimId, range)}`.execute(db)
  return rows[0]!
}

async function reporters(
  db: Database,
  claimId: string,
  range: DayRange,
  limit: number,
): Promise<Reporter[]> {
  const { rows } = await sql<Reporter>`
    select author, max(reporter) as reporter, count(*)::int as reports, is_authentic as "isAuthentic"
      from dmarc_reports p where ${within(claimId, range)}
     group by author, is_authentic order by reports desc, author limit ${limit}`.execute(db)
  return rows
}
