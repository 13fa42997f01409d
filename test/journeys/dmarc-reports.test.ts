/** What receivers report about the mail of a domain arrives by mail, and is shown by day and source. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AggregateReport } from '#mail/reports/aggregate.ts'
import { keepAggregate } from '#store/dmarc-reports.ts'
import { refuses, UNKNOWN_ID, violates } from '../api/expect.ts'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { sendMail } from '../smtp.ts'
import { submitMail } from '../submission.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const domain = await client.addActive('acme.test')
const reporter = await client.addActive('reporter.test')
const { body: noreply } = await client.post('/sender-accounts/coldsend-native', {
  domain_id: reporter.domain_id,
  email_prefix: 'noreply',
  display_name: 'Reporter',
})

const reportsTo = async (id: string): Promise<string> => {
  const { body } = await client.get(`/domains/${id}`)
  const { value } = body.dns_records.find(({ purpose }: Json) => purpose === 'dmarc')
  return /rua=mailto:([^;,!]+)/.exec(value)![1]!
}
const to = await reportsTo(domain.domain_id)
const shown = async (query = '') =>
  (await client.get(`/domains/${domain.domain_id}/dmarc${query}`)).body

type Row = { ip: string; count: number; dkim?: string; spf?: string }
const DAY_S = 86_400
const today = Math.floor(Date.now() / 1000 / DAY_S) * DAY_S

function reportOf(id: string, rows: readonly Row[], { about = 'acme.test', begins = today } = {}) {
  const records = rows.map(
    ({ ip, count, dkim = 'pass', spf = 'pass' }) => `<record><row><source_ip>${ip}</source_ip>
      <count>${count}</count><policy_evaluated><disposition>none</disposition><dkim>${dkim}</dkim>
      <spf>${spf}</spf></policy_evaluated></row><identifiers><header_from>acme.test</header_from>
      </identifiers></record>`,
  )
  return `<?xml version="1.0"?><feedback><report_metadata><org_name>Reporter</org_name>
    <report_id>${id}</report_id><date_range><begin>${begins}</begin><end>${begins + DAY_S - 1}</end>
    </date_range></report_metadata><policy_published><domain>${about}</domain></policy_published>
    ${records.join('')}</feedback>`
}

const message = (xml: string) => ({
  from: 'noreply@reporter.test',
  to,
  subject: 'Report domain: acme.test',
  text: 'A report.',
  attachments: [{ filename: 'reporter.test!acme.test!1!2.xml.gz', content: gzipSync(xml) }],
})
const report = (xml: string) =>
  submitMail(house.house.submission.implicitTls[0]!, true, noreply.credentials, message(xml))
const untilReports = (count: number) =>
  until(
    () => shown(),
    ({ totals }) => totals.reports >= count,
  )

test('without reports there is nothing, and the policy is shown', async () => {
  const body = await shown()
  assert.deepEqual(body.totals, { messages: 0, aligned: 0, reports: 0, unauthenticated_reports: 0 })
  assert.deepEqual([body.days, body.sources, body.reporters], [[], [], []])
  assert.deepEqual([body.policy, body.proposal], ['none', null])
  assert.equal(body.to, new Date().toISOString().slice(0, 10))
})

test('a report is counted once, by day and source, with its reporter', async () => {
  const rows = [
    { ip: '192.0.2.1', count: 90 },
    { ip: '192.0.2.1', count: 5, spf: 'fail' },
    { ip: '2001:db8::1', count: 5, dkim: 'fail', spf: 'fail' },
  ]
  await report(reportOf('first', rows))
  await untilReports(1)
  await report(reportOf('first', rows))
  await report(reportOf('second', [{ ip: '192.0.2.1', count: 1 }], { begins: today - 3 * DAY_S }))
  const body = await untilReports(2)
  assert.deepEqual(body.totals, {
    messages: 101,
    aligned: 96,
    reports: 2,
    unauthenticated_reports: 0,
  })
  assert.deepEqual(
    body.days.map(({ messages, aligned }: Json) => [messages, aligned]),
    [
      [1, 1],
      [100, 95],
    ],
  )
  const [first] = body.sources
  assert.deepEqual(
    [first.source_ip, first.messages, first.dkim_aligned, first.spf_aligned, first.header_from],
    ['192.0.2.1', 96, 96, 91, 'acme.test'],
  )
  assert.deepEqual(body.reporters, [
    { author: 'noreply@reporter.test', reporter: 'Reporter', reports: 2, authenticated: true },
  ])
  const old = await shown('?from=2020-01-01&to=2020-01-31')
  assert.equal(old.totals.messages, 0)
})

test('a forged report is only counted, and does not hide the true one', async () => {
  const forged = reportOf('third', [{ ip: '192.0.2.66', count: 1_000_000 }])
  const boundary = 'b'
  const raw = [
    'From: noreply@reporter.test',
    `To: ${to}`,
    'Subject: Report domain: acme.test',
    `Content-Type: multipart/mixed; boundary=${boundary}`,
    '',
    `--${boundary}`,
    'Content-Type: application/gzip; name=x.xml.gz',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename=x.xml.gz',
    '',
    gzipSync(forged).toString('base64').replace(/.{76}/g, '$&\r\n'),
    `--${boundary}--`,
    '',
  ]
  assert.equal(await sendMail(house.smtp, [to], raw.join('\r\n')), 250)
  await report(reportOf('third', [{ ip: '192.0.2.3', count: 7 }]))
  const { totals, sources } = await untilReports(3)
  assert.deepEqual([totals.messages, totals.unauthenticated_reports], [108, 1])
  assert.equal(
    sources.some(({ source_ip }: Json) => source_ip === '192.0.2.66'),
    false,
  )
})

test('a report about another domain is kept as mail, and counted nowhere', async () => {
  const before = await shown()
  await report(reportOf('other', [{ ip: '192.0.2.9', count: 50 }], { about: 'reporter.test' }))
  await report(reportOf('last', [{ ip: '192.0.2.1', count: 1 }]))
  const body = await untilReports(before.totals.reports + 1)
  assert.equal(body.totals.messages, before.totals.messages + 1)
  const { body: theirs } = await client.get(`/domains/${reporter.domain_id}/dmarc`)
  assert.equal(theirs.totals.messages, 0)
})

const { id: claimId } = await store.db
  .selectFrom('claims')
  .select('id')
  .where('domain_id', '=', domain.domain_id)
  .executeTakeFirstOrThrow()
type Kept = { n: number; on: string; isAuthentic?: boolean; rows?: AggregateReport['rows'] }
const keep = ({ n, on, isAuthentic = true, rows = [] }: Kept) => {
  const begins = new Date(on)
  const report = {
    reportId: `${n}`,
    reporter: 'R',
    domain: 'acme.test',
    begins,
    ends: begins,
    rows,
  }
  return keepAggregate(store, { claimId, author: `reporter${n}@inbox.test`, isAuthentic, report })
}

test('all reports are counted, also those of reporters that are not listed', async () => {
  for (let n = 0; n < 60; n++) await keep({ n, on: '2026-01-05', isAuthentic: n % 2 === 0 })
  const { totals, reporters } = await shown('?from=2026-01-05&to=2026-01-05')
  assert.deepEqual([totals.reports, totals.unauthenticated_reports], [30, 30])
  assert.equal(reporters.length, 50)
})

test('the numbers agree while further reports arrive', async () => {
  const row = {
    sourceIp: '192.0.2.1',
    messages: 1,
    disposition: 'none' as const,
    dkim: true,
    spf: true,
    headerFrom: 'acme.test',
    envelopeFrom: '',
  }
  let arrived = 0
  const arrivals = (async () => {
    while (arrived < 150) await keep({ n: 1000 + arrived++, on: '2026-01-06', rows: [row] })
  })()
  while (arrived < 150) {
    const { totals, days, sources, reporters } = await shown('?from=2026-01-06&to=2026-01-06')
    if (totals.reports === 0) continue
    const { messages, reports } = totals
    assert.deepEqual([messages, days[0].messages, sources[0].messages], [reports, reports, reports])
    assert.equal(reporters.length, Math.min(reports, 50))
  }
  await arrivals
})

test('a month of aligned mail from known sources proposes a stricter policy, with its evidence', async () => {
  await store.db
    .updateTable('domains')
    .set({ activated_at: new Date(Date.now() - 60 * DAY_S * 1000) })
    .where('id', '=', domain.domain_id)
    .execute()
  // The source that never sent aligned mail.
  assert.equal((await shown()).proposal, null)
  await store.db
    .deleteFrom('dmarc_rows')
    .where('dkim', '=', false)
    .where('spf', '=', false)
    .execute()
  const { policy, proposal } = await shown()
  assert.equal(policy, 'none')
  assert.equal(proposal.policy, 'quarantine')
  assert.deepEqual(proposal.evidence.unknown_sources, [])
  assert.equal(proposal.evidence.messages, proposal.evidence.aligned)
})

test('days that are none, and domains of others, are refused', async () => {
  const path = `/domains/${domain.domain_id}/dmarc`
  for (const day of ['yesterday', '2026-02-30', '2026-2-3', '1764460800'])
    violates(await client.get(`${path}?from=${day}`), ['query', 'from'], 'value_error.str.regex')
  for (const query of ['?from=2026-02-02&to=2026-02-01', '?from=2020-01-01&to=2026-01-01'])
    violates(await client.get(path + query), ['query', 'from'], 'value_error.datetime')
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  for (const id of [domain.domain_id, UNKNOWN_ID])
    refuses(await stranger.get(`/domains/${id}/dmarc`), 404, 'domain_not_found')
})
