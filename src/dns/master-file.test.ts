import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMasterFile } from './master-file.ts'

const LIMIT = 100
const read = (text: string) => readMasterFile(text, 'acme.test.', LIMIT)

/** Records as `line name ttl type value`. */
const recordsIn = (text: string): string[] => {
  const { records, problems } = read(text)
  assert.deepEqual(problems, [])
  return records.map(({ line, name, ttl, type, value }) =>
    [line, name, ttl, type, value].join(' ').trimEnd(),
  )
}

// biome-ignore format: a table
const READ: [what: string, text: string, records: string[]][] = [
  ['an absolute name',                       'www.acme.test. 300 IN A 192.0.2.1',             ['1 www.acme.test. 300 A 192.0.2.1']],
  ['a relative name lies below the origin',  'www 300 IN A 192.0.2.1',                        ['1 www.acme.test. 300 A 192.0.2.1']],
  ['@ is the origin',                        '@ 300 IN A 192.0.2.1',                          ['1 acme.test. 300 A 192.0.2.1']],
  ['so is a relative name in rdata',         '@ 300 IN MX 10 mx\nwww 300 CNAME @',            ['1 acme.test. 300 MX 10 mx.acme.test.', '2 www.acme.test. 300 CNAME acme.test.']],
  ['$ORIGIN moves it, relative to the last', '$ORIGIN sub\nwww 300 A 192.0.2.1\n$ORIGIN deep\nx 300 A 192.0.2.2', ['2 www.sub.acme.test. 300 A 192.0.2.1', '4 x.deep.sub.acme.test. 300 A 192.0.2.2']],
  ['no owner means the one before',          'www 300 A 192.0.2.1\n\t300 A 192.0.2.2',        ['1 www.acme.test. 300 A 192.0.2.1', '2 www.acme.test. 300 A 192.0.2.2']],
  ['$TTL stands for a TTL',                  '$TTL 1h30m\nwww A 192.0.2.1',                   ['2 www.acme.test. 5400 A 192.0.2.1']],
  ['else the TTL of the record before',      'www 77 A 192.0.2.1\nw2 A 192.0.2.1',            ['1 www.acme.test. 77 A 192.0.2.1', '2 w2.acme.test. 77 A 192.0.2.1']],
  ['class and TTL in either order',          'a IN 60 A 192.0.2.1\nb 60 in a 192.0.2.1',      ['1 a.acme.test. 60 A 192.0.2.1', '2 b.acme.test. 60 A 192.0.2.1']],
  ['parentheses go over lines',              '@ IN SOA ns. host. (\n 1 ; serial\n 2 3 4 5 )\nwww 60 A 192.0.2.1', ['1 acme.test. 3600 SOA', '4 www.acme.test. 60 A 192.0.2.1']],
  ['a semicolon in quotes is no comment',    'k 60 TXT "v=DKIM1; p=AA" ; comment',            ['1 k.acme.test. 60 TXT v=DKIM1; p=AA']],
  ['strings of a policy are one text',       'k 60 TXT ( "v=DKIM1; p=" \n "AA" )',            ['1 k.acme.test. 60 TXT v=DKIM1; p=AA']],
  ['strings of a service stand alone',       'k 60 TXT "a=1" "b=2"',                          ['1 k.acme.test. 60 TXT "a=1" "b=2"']],
  ['words without quotes are strings',       'k 60 TXT hello world',                          ['1 k.acme.test. 60 TXT "hello" "world"']],
  ['escapes survive',                        String.raw`My\032Printer 60 TXT "\000\255"`,     [String.raw`1 my\032printer.acme.test. 60 TXT "\000\255"`]],
  ['an escaped dot is part of a label',      String.raw`a\.b 60 A 192.0.2.1`,                 [String.raw`1 a\.b.acme.test. 60 A 192.0.2.1`]],
  ['types by their number',                  String.raw`x 60 TYPE65280 \# 2 abcd`,            [String.raw`1 x.acme.test. 60 TYPE65280 \# 2 abcd`]],
  ['known types by their number',            String.raw`x 60 TYPE1 \# 4 c0000201`,            ['1 x.acme.test. 60 A 192.0.2.1']],
  ['services with their parameters',         'x 60 HTTPS 1 . alpn="h2,h3" port=8443',         ['1 x.acme.test. 60 HTTPS 1 . alpn=h2,h3 port=8443']],
  ['types that no zone here holds, without their rdata', 'x 60 DNAME y\nx 60 RRSIG A 13 2', ['1 x.acme.test. 60 DNAME', '2 x.acme.test. 60 RRSIG']],
  ['empty lines, comments and line ends of Windows', '\r\n; x\r\n\r\nwww 60 A 192.0.2.1\r\n', ['4 www.acme.test. 60 A 192.0.2.1']],
  ['a name that looks like a type',          'mx 60 MX 10 mx',                                ['1 mx.acme.test. 60 MX 10 mx.acme.test.']],
  ['nothing at all',                         '',                                              []],
]

for (const [what, text, records] of READ) {
  test(`read: ${what}`, () => assert.deepEqual(recordsIn(text), records))
}

// biome-ignore format: a table
const REFUSED: [what: string, text: string, line: number, sentence: RegExp][] = [
  ['$INCLUDE',                        '$INCLUDE /etc/passwd',                1, /\$INCLUDE is not taken/],
  ['$GENERATE',                       '\n$GENERATE 1-1000000 h$ A 192.0.2.1', 2, /\$GENERATE is not taken/],
  ['another directive',               '$DATE x',                             1, /\$DATE is not taken/],
  ['no owner before',                 ' 60 A 192.0.2.1',                     1, /no owner/],
  ['no type',                         'www 60 IN',                           1, /no type/],
  ['a type that is none',             'www 60 IN FOO x',                     1, /"FOO" is no type/],
  ['another class',                   'www 60 CH TXT x',                     1, /class CH/],
  ['rdata that is none',              'www 60 A 192.0.2',                    1, /"192.0.2" is no IPv4 address/],
  ['a name that is too long',         `${'a'.repeat(64)} 60 A 192.0.2.1`,    1, /longer than 63 octets/],
  ['a name in other letters',         'bücher 60 A 192.0.2.1',               1, /A-labels/],
  ['a quotation mark that is open',   'k 60 TXT "open\nwww 60 A 192.0.2.1',  1, /quotation mark/],
  ['a parenthesis that is open',      'k 60 TXT ( "a"\n"b"',                 1, /not closed/],
  ['a parenthesis that is shut twice', 'k 60 TXT ( "a" ) )',                 1, /was not open/],
  ['an octet above 255',              String.raw`k 60 TXT "\256"`,           1, /\\256 is no octet/],
  ['a control character',             'k 60 TXT "a\x07b"',                   1, /control character/],
]

for (const [what, text, line, sentence] of REFUSED) {
  test(`refused: ${what}`, () => {
    const [problem] = read(text).problems
    assert.equal(problem?.line, line)
    assert.match(problem!.message, sentence)
  })
}

test('a line that cannot be read keeps no other line from being read', () => {
  const { records, problems } = read('a 60 A 192.0.2\nb 60 A 192.0.2.1')
  assert.deepEqual([records.length, problems.length], [1, 1])
})

test('more records than the limit, or lines without end, stop the reading', () => {
  for (const line of ['a 60 A 192.0.2.1', '$ORIGIN a.', 'nonsense', '$TTL 60']) {
    const { records, problems } = read(`${line}\n`.repeat(100_000))
    assert.ok(records.length <= LIMIT + 1 && problems.length <= 2 * LIMIT + 2)
    assert.match(problems.at(-1)!.message, /more than 100 records/)
  }
})
