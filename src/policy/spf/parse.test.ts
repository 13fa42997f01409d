import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenTermsOf, parseSpf } from './parse.ts'

const LONG_LABEL = `${'a'.repeat(64)}.test`
const LONG_NAME = `${'a23456789.'.repeat(26)}test`

// biome-ignore format: a table
const VALID = [
  'all', '-all', '~ALL', '?all', '+all',
  'include:_spf.acme.test', 'INCLUDE:acme.test', '-include:acme.test.', 'include:xn--bcher-kva.test', 'include:a.b-c', 'include:a.1-2',
  'a', 'a/24', 'a//64', 'a/24//64', 'a/0', 'a//0', 'a/32//128', 'a:acme.test', 'a:acme.test/24', 'a:acme.test//64', 'a:acme.test/8//8',
  'mx', 'mx/24//64', 'mx:acme.test', '~mx:_x.acme.test/16', 'ptr', 'ptr:acme.test',
  'ip4:192.0.2.1', 'ip4:192.0.2.0/24', 'ip4:0.0.0.0/0', 'ip4:192.0.2.1/32', '?IP4:192.0.2.1',
  'ip6:2001:db8::1', 'ip6:2001:db8::/32', 'ip6:::/0', 'ip6:::1/128', 'ip6:::ffff:192.0.2.1', 'ip6:::ffff:192.0.2.1/120',
  'exists:%{i}._spf.acme.test', 'exists:%{ir}.%{v}._spf.%{d2}', 'include:%{d}', 'include:%{ir}.%{v}.%{d}.spf.acme.test',
  'exists:%{l1r+-}._at_.%{o,=_/}.acme.test', 'exists:%{L}.%{S}.acme.test', 'exists:a%%b.acme.test', 'exists:a%_b%-c.acme.test',
  'redirect=_spf.acme.test', 'Redirect=%{d}.acme.test', 'exp=why.acme.test', 'exp=%{i}.why.acme.test',
  // RFC 7208 section 6: unknown modifiers are ignored, whatever they say; their names are no mechanisms'.
  'x=', 'x=y', 'moo.cow-far_out=man:dog/cat', 'ip4=192.0.2.1', 'default=%{d}', 'ra=postmaster', 'v=spf1',
]

test('the terms of the grammar are read', () => {
  for (const term of VALID) assert.deepEqual(brokenTermsOf(`v=spf1 ${term}`), [], term)
})

// biome-ignore format: a table
const BROKEN: [term: string, why: RegExp][] = [
  ['ipv4:192.0.2.1',            /no mechanism "ipv4"; it is written ip4:/],
  ['IPv6:2001:db8::1',          /no mechanism "IPv6"; it is written ip6:/],
  ['ip:192.0.2.1',              /written ip4: or ip6:/],
  ['redirect:acme.test',        /written redirect=/],
  ['~redirect=acme.test',       /written redirect=/],
  ['192.0.2.1',                 /behind a mechanism: ip4:192\.0\.2\.1/],
  ['192.0.2.0/24',              /behind a mechanism/],
  ['2602:fd3f:0:ff06::/64',     /no mechanism "2602"/],
  ['_spf.acme.test',            /as in include:_spf\.acme\.test/],
  ['-',                         /names no mechanism/],
  [':acme.test',                /names no mechanism/],
  ['=acme.test',                /names no mechanism/],
  ['1x=y',                      /no mechanism "1x"/],
  ['--all',                     /no mechanism "-all"/],
  ['!all',                      /no mechanism "!all"/],
  ['-all;',                     /no mechanism "all;"/],
  ['all.',                      /include:all\./],
  ['all:acme.test',             /nothing may follow "all"/],
  ['all/8',                     /nothing may follow "all"/],
  ['“-all”',                    /visible ASCII/],
  ['a\tmx',                     /has a tab/],
  ['mx\u00a0a',                 /visible ASCII/],
  ['include:bücher.test',       /visible ASCII/],
  ['include',                   /a colon and a domain must follow/],
  ['include:',                  /a colon and a domain must follow/],
  ['include/24',                /a colon and a domain must follow/],
  ['include:acme.test/24',      /does not end like a domain name/],
  ['include:acme',              /no full domain name/],
  ['include:acme.',             /no full domain name/],
  ['include:192.0.2.1',         /is an address, which is written ip4:/],
  ['include:acme.1',            /does not end like a domain name/],
  ['include:acme.-a',           /does not end like a domain name/],
  ['include:.acme.test',        /empty label/],
  ['include:a.test|b.test',     /no domain name/],
  ['include:a.test,b.test',     /no domain name/],
  ['include:http://acme.test',  /no domain name/],
  ['include:@acme.test',        /no domain name/],
  [`include:${LONG_LABEL}`,     /label of more than 63/],
  [`include:${LONG_NAME}`,      /more than 253 octets/],
  ['a:',                        /a colon and a domain must follow/],
  ['a:/24',                     /a colon and a domain must follow/],
  ['a/33',                      /"\/33" is no prefix length from 0 to 32/],
  ['a/024',                     /"\/024" is no prefix length/],
  ['a//129',                    /"\/129" is no prefix length from 0 to 128/],
  ['a/',                        /a prefix length is a number/],
  ['a/x',                       /a prefix length is a number/],
  ['a/24/64',                   /a prefix length is a number/],
  ['a:acme.test/',              /does not end like a domain name/],
  ['mx:bad..name',              /"bad\.\.name" has an empty label/],
  ['mx:acme.test.. ',           /empty label/],
  ['ptr/24',                    /a colon and a domain must follow/],
  ['ptr:',                      /a colon and a domain must follow/],
  ['ip4',                       /a colon and an IPv4 address must follow/],
  ['ip4:',                      /a colon and an IPv4 address must follow/],
  ['ip4/24',                    /a colon and an IPv4 address must follow/],
  ['ip4:192.0.2',               /"192\.0\.2" is no IPv4 address/],
  ['ip4:192.0.2.256',           /is no IPv4 address/],
  ['ip4:192.0.2.01',            /is no IPv4 address/],
  ['ip4:192.0.2.0/33',          /"\/33" is no prefix length from 0 to 32/],
  ['ip4:192.0.2.0/024',         /is no prefix length/],
  ['ip4:192.0.2.0/',            /is no prefix length/],
  ['ip4:192.0.2.0//24',         /is no prefix length/],
  ['ip4:192.0.2.1:25',          /is no IPv4 address/],
  ['ip4:192.0.2.1,192.0.2.2',   /each address needs a term of its own/],
  ['ip4:mail.acme.test',        /is no IPv4 address/],
  ['ip4:2001:db8::1',           /an IPv6 address, which is written ip6:/],
  ['ip6:192.0.2.1',             /an IPv4 address, which is written ip4:/],
  ['ip6:2001:db8::/129',        /is no prefix length from 0 to 128/],
  ['ip6:2001:db8:::1',          /is no IPv6 address/],
  ['ip6:fe80::1%eth0',          /is no IPv6 address/],
  ['ip6:[2001:db8::1]',         /is no IPv6 address/],
  ['exists',                    /a colon and a domain must follow/],
  ['exists:%{z}.acme.test',     /no macro %\{z\}/],
  ['exists:%{i.acme.test',      /begins no macro/],
  ['exists:%i.acme.test',       /begins no macro/],
  ['exists:%{ii}.acme.test',    /begins no macro/],
  ['exists:%{d0}.acme.test',    /begins no macro/],
  ['exists:%{t}.acme.test',     /macro for the text of explanations only/],
  ['exists:%{i}acme',           /no full domain name/],
  ['exists:acme.test%',         /begins no macro/],
  ['ip4:192.0.2.1include:a.test', /a space is missing before include:a\.test/],
  ['include:a.test~include:b.test', /a space is missing before ~include:b\.test/],
  ['ip4:192.0.2.1-all',         /a space is missing before -all/],
  ['redirect=',                 /a domain must follow/],
  ['redirect=acme',             /no full domain name/],
  ['exp=',                      /a domain must follow/],
  ['x=%{z}',                    /no macro %\{z\}/],
  ['x=100%',                    /begins no macro/],
]

test('what is no term is named, with the reason', () => {
  for (const [term, why] of BROKEN) {
    const [broken, ...others] = brokenTermsOf(`v=spf1 ${term}`)
    assert.equal(broken?.written, term.trim(), term)
    assert.match(broken!.why, why, term)
    assert.deepEqual(others, [], term)
  }
})

// RFC 7208 section 6.
test('the second redirect and the second explanation are broken terms, and others repeat', () => {
  const record = 'v=spf1 redirect=a.test REDIRECT=a.test exp=a.test x=1 exp=b.test x=1'
  assert.deepEqual(
    brokenTermsOf(record).map(({ written }) => written),
    ['REDIRECT=a.test', 'exp=b.test'],
  )
})

test('only spaces separate terms, as many as there are', () => {
  const written = parseSpf('v=spf1  a   mx -all  ').map((term) => term.written)
  assert.deepEqual(written, ['a', 'mx', '-all'])
  assert.deepEqual(parseSpf('v=spf1'), [])
})

test('a term is taken apart', () => {
  assert.deepEqual(parseSpf('V=SPF1 ?A:Acme.Test/24//64'), [
    {
      kind: 'directive',
      written: '?A:Acme.Test/24//64',
      qualifier: '?',
      mechanism: 'a',
      domain: 'Acme.Test',
      prefix: { ip4: 24, ip6: 64 },
    },
  ])
})

test('a record of the longest kind is read in a time that grows with its length', () => {
  for (const piece of ['%{', '/1', 'a.', 'a-', '1', ':', '%%', '%{i']) {
    const term = piece.repeat(Math.floor(60_000 / piece.length))
    for (const start of ['include:', 'a', 'ip4:', 'x=', '-']) parseSpf(`v=spf1 ${start}${term}!`)
  }
})
