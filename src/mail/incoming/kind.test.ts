import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, kindOf } from './kind.ts'

type Fields = Readonly<Record<string, string>>
const report = (is: 'failed' | 'delayed' | 'delivered' | 'complaint') => ({
  is,
  reply: '',
  host: '',
  envelopeSender: '',
  messageId: '',
})

// biome-ignore format: a table
const MESSAGES: readonly [what: string, fields: Fields, subject: string, kind: Kind, envelopeSender?: string][] = [
  ['plain mail',                          {},                                                         'Hello',                         'person'],
  ['an answer to an automatic reply',     {},                                                         'Re: Automatic reply: Hello',    'person'],
  ['a question about an absence',         {},                                                         'Out of office next week?',      'person'],
  ['mail that wants no automatic reply',  { 'x-auto-response-suppress': 'all' },                      'Hello',                         'person'],
  ['Auto-Submitted: no',                  { 'auto-submitted': 'no' },                                 'Hello',                         'person'],
  ['Auto-Submitted: no (comment)',        { 'auto-submitted': 'no (by hand)' },                       'Hello',                         'person'],
  ['a post to a list',                    { precedence: 'list', 'list-id': '<l.x.test>' },            'Hello',                         'person'],
  ['an unknown precedence',               { precedence: 'first-class' },                              'Hello',                         'person'],
  ['X-Autoreply: no',                     { 'x-autoreply': 'no' },                                    'Hello',                         'person'],
  ['a report in words',                   {},                                                         'Report on the domain',          'person'],
  ['Auto-Submitted: auto-replied',        { 'auto-submitted': 'auto-replied' },                       'Hello',                         'automatic'],
  ['Auto-Submitted: auto-generated',      { 'auto-submitted': 'auto-generated; owner-email="a@x.test"' }, 'Hello',                     'automatic'],
  ['a vacation notice',                   { 'auto-submitted': 'auto-replied (vacation)' },            'Re: Hello',                     'automatic'],
  ['Auto-Submitted without a value',      { 'auto-submitted': '' },                                   'Hello',                         'automatic'],
  ['Precedence: bulk',                    { precedence: 'bulk' },                                     'Hello',                         'automatic'],
  ['Precedence: auto_reply',              { precedence: 'auto_reply' },                               'Hello',                         'automatic'],
  ['X-Autoreply',                         { 'x-autoreply': 'yes' },                                   'Hello',                         'automatic'],
  ['X-Autorespond',                       { 'x-autorespond': 'Hello' },                               'Hello',                         'automatic'],
  ['Exchange',                            {},                                                         'Automatic reply: Hello',        'automatic'],
  ['Exchange in German',                  {},                                                         'Automatische Antwort: Hallo',   'automatic'],
  ['Exchange in French',                  {},                                                         'Réponse automatique : Bonjour', 'automatic'],
  ['Out of Office',                       {},                                                         'Out of Office: Hello',          'automatic'],
  ['a null envelope sender',              {},                                                         'Hello',                         'automatic', ''],
  ['a receipt',                           { 'content-type': 'multipart/report; report-type=disposition-notification' }, 'Read: Hello', 'automatic'],
  ['a DMARC report',                      { 'content-type': 'application/gzip' },                     'Report Domain: x.test Submitter: y.test Report-ID: <1>', 'report'],
  ['a TLS report',                        { 'tls-report-domain': 'x.test' },                          'Report',                        'report'],
  ['a TLS report by its type',            { 'content-type': 'multipart/report; report-type="tlsrpt"' }, 'x',                           'report', ''],
  ['a failure report',                    { 'content-type': 'multipart/report; report-type=feedback-report' }, 'x',                    'report'],
]
for (const [what, fields, subject, kind, envelopeSender = 'ann@x.test'] of MESSAGES)
  test(`${what} is of the kind ${kind}`, () => {
    const valuesOf = (name: string) => (name in fields ? [fields[name]!] : [])
    assert.equal(kindOf({ report: undefined, envelopeSender, subject, valuesOf }), kind)
  })

// biome-ignore format: a table
const REPORTS: readonly [is: Parameters<typeof report>[0], kind: Kind][] = [
  ['failed',    'bounce'],
  ['complaint', 'complaint'],
  ['delayed',   'automatic'],
  ['delivered', 'automatic'],
]
test('a report that a message failed is a bounce, and one that it arrived is not', () => {
  const signs = { envelopeSender: '', subject: 'x', valuesOf: () => [] }
  for (const [is, kind] of REPORTS) assert.equal(kindOf({ ...signs, report: report(is) }), kind)
})
