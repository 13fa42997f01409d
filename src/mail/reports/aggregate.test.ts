import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { zipSync } from 'fflate'
import MailComposer from 'nodemailer/lib/mail-composer'
import { aggregateReportIn, readAggregate } from './aggregate.ts'

const RECORD = `<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>
  <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
  <identifiers><header_from>acme.test</header_from></identifiers>
  <auth_results><dkim><domain>acme.test</domain><result>pass</result></dkim></auth_results></record>`

const reportOf = ({
  declaration = '<?xml version="1.0" encoding="UTF-8" ?>',
  domain = 'acme.test',
  id = '17',
  range = '<begin>1764460800</begin><end>1764547199</end>',
  records = RECORD,
  reporter = 'google.com',
} = {}) => `${declaration}
<feedback><version>1.0</version>
<report_metadata><org_name>${reporter}</org_name><email>noreply@google.com</email><report_id>${id}</report_id>
<date_range>${range}</date_range></report_metadata>
<policy_published><domain>${domain}</domain><adkim>r</adkim><p>none</p><pct>100</pct></policy_published>
${records}</feedback>`

async function inMessage(
  content: Uint8Array | string,
  filename = 'google.com!acme.test!1!2.xml.gz',
) {
  const octets = await new MailComposer({
    from: 'noreply@google.com',
    to: 'dmarc@acme.test',
    subject: 'Report domain: acme.test',
    attachments: [
      { filename, content: Buffer.from(content), contentType: 'application/octet-stream' },
    ],
  })
    .compile()
    .build()
  return aggregateReportIn({ encoding: 'identity', content: octets })
}

test('a report is read, with its rows', () => {
  assert.deepEqual(readAggregate(reportOf()), {
    reporter: 'google.com',
    reportId: '17',
    domain: 'acme.test',
    begins: new Date('2025-11-30T00:00:00Z'),
    ends: new Date('2025-11-30T23:59:59Z'),
    rows: [
      {
        sourceIp: '192.0.2.1',
        messages: 3,
        disposition: 'none',
        dkim: true,
        spf: false,
        headerFrom: 'acme.test',
        envelopeFrom: '',
      },
    ],
  })
})

const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(reportOf(), 'utf16le')])
const READ: [string, Uint8Array | string][] = [
  ['gzip', gzipSync(reportOf())],
  ['zip', zipSync({ 'report.xml': Buffer.from(reportOf()) })],
  ['a plain document', reportOf()],
  ['a document without a declaration', reportOf({ declaration: '' })],
  ['a declaration and no line end after it', reportOf().replace('?>\n', '?>')],
  ['a byte order mark', `\ufeff${reportOf()}`],
  ['UTF-16', utf16],
  [
    'windows-1252',
    Buffer.from(
      reportOf({
        declaration: '<?xml version="1.0" encoding="windows-1252"?>',
        reporter: 'M\xfcller',
      }),
      'latin1',
    ),
  ],
  [
    'an encoding that nobody knows',
    reportOf({ declaration: '<?xml version="1.0" encoding="x-klingon"?>' }),
  ],
  ['octets that are no UTF-8', Buffer.from(reportOf({ reporter: 'A\x91B' }), 'latin1')],
  [
    'name spaces',
    reportOf().replaceAll('<', '<n:').replaceAll('<n:/', '</n:').replaceAll('<n:?', '<?'),
  ],
  ['a schema that is not closed', reportOf().replace('<version>', '<xs:schema><version>')],
  ['a domain with a dot and capitals', reportOf({ domain: 'ACME.test.' })],
  ['no records', reportOf({ records: '' })],
]

for (const [what, content] of READ)
  test(`${what} is read`, async () => {
    assert.equal((await inMessage(content))?.domain, 'acme.test')
  })

const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 32))
const laughs = `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>${reportOf({ declaration: '', reporter: '&b;' })}`
const NOT_READ: [string, Uint8Array | string][] = [
  ['nothing', ''],
  ['the word unused', gzipSync('unused')],
  ['a gzip bomb', bomb],
  ['a zip bomb', zipSync({ 'report.xml': Buffer.alloc(50 * 1024 * 1024, 32) })],
  ['a zip in a zip', zipSync({ 'a.zip': zipSync({ 'report.xml': Buffer.from(reportOf()) }) })],
  ['an empty zip', zipSync({})],
  ['half a gzip', gzipSync(reportOf()).subarray(0, 100)],
  ['half a zip', zipSync({ 'report.xml': Buffer.from(reportOf()) }).subarray(0, 100)],
  ['a document type with entities', laughs],
  ['a page of HTML', '<html><body>Report</body></html>'],
  ['a domain that is none', reportOf({ domain: '../../etc' })],
  ['no domain', reportOf({ domain: '' })],
  ['no id', reportOf({ id: '' })],
  [
    'an end before its beginning',
    reportOf({ range: '<begin>1764547199</begin><end>1764460800</end>' }),
  ],
  ['a range of years', reportOf({ range: '<begin>1064460800</begin><end>1764460800</end>' })],
  ['times that are none', reportOf({ range: '<begin>yesterday</begin><end>1764460800</end>' })],
  ['a hundred thousand levels', `${'<a>'.repeat(100_000)}${reportOf()}`],
]

for (const [what, content] of NOT_READ)
  test(`${what} is not read`, async () => {
    assert.equal(await inMessage(content), undefined)
  })

const row = (more: string) => RECORD.replace('<count>3</count>', more)
const LEFT_OUT: [string, string][] = [
  ['a negative count', row('<count>-3</count>')],
  ['a count of nothing', row('<count>0</count>')],
  ['a count beyond all numbers', row('<count>99999999999</count>')],
  ['a count that is none', row('<count>many</count>')],
  ['two counts', row('<count>3</count><count>4</count>')],
  ['an address that is none', RECORD.replace('192.0.2.1', '999.1.1.1')],
  ['an address that would be a statement', RECORD.replace('192.0.2.1', "1.1.1.1'; drop table x")],
  ['an empty record', '<record></record>'],
  ['a record that is text', '<record>x</record>'],
]

for (const [what, record] of LEFT_OUT)
  test(`${what} is left out, and the other rows count`, () => {
    assert.equal(readAggregate(reportOf({ records: record + RECORD }))?.rows.length, 1)
  })

test('results are read whatever their case, and unknown ones fail', () => {
  const records = RECORD.replace('<dkim>pass', '<dkim>hardfail').replace('<spf>fail', '<spf>PASS')
  const [found] = readAggregate(reportOf({ records: records.replace('>none<', '>Reject<') }))!.rows
  assert.deepEqual([found!.dkim, found!.spf, found!.disposition], [false, true, 'reject'])
})

test('of a hundred thousand records ten thousand are read, in time', () => {
  const report = readAggregate(reportOf({ records: RECORD.replace(/\s+/g, ' ').repeat(20_000) }))
  assert.equal(report?.rows.length, 10_000)
})

test('whatever the document, reading it ends', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '</',
    '<record>',
    '</record>',
    '<feedback>',
    '&',
    '&amp;',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
    '<?',
    '?>',
    'a',
    '"',
    '=',
    '__proto__',
    '<__proto__>',
    '<constructor>',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      try {
        readAggregate(pieces.join(''))
      } catch {
        // The caller takes it for no report.
      }
      assert.equal(({} as Record<string, unknown>).record, undefined)
    }),
  )
})
