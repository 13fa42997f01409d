import { type Kysely, sql } from 'kysely'

/** What receivers report about the mail of a domain. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table dmarc_reports (
        id uuid primary key,
        claim_id uuid not null references claims on delete cascade,
        author text not null,
        reporter text not null,
        report_id text not null,
        is_authentic boolean not null,
        begins_at timestamptz not null,
        ends_at timestamptz not null,
        received_at timestamptz not null default now(),
        unique (claim_id, author, report_id, is_authentic)
      );
      create index dmarc_reports_by_day on dmarc_reports (claim_id, begins_at);
      create index dmarc_reports_by_age on dmarc_reports (received_at);
      create table dmarc_rows (
        report_id uuid not null references dmarc_reports on delete cascade,
        source_ip inet not null,
        messages integer not null,
        disposition text not null,
        dkim boolean not null,
        spf boolean not null,
        header_from text not null,
        envelope_from text not null
      );
      create index dmarc_rows_by_report on dmarc_rows (report_id);
    `)
    .execute(db)
}
