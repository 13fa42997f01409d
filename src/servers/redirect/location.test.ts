import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostName, locationOf, parseRequestTarget, type Redirect } from './location.ts'

const PLAIN: Redirect = {
  targetDomain: 'acme.example',
  statusCode: 301,
  preservePath: true,
  preserveQueryString: true,
}
const locate = (written: string, redirect = PLAIN) => {
  const target = parseRequestTarget(written)
  return target && locationOf(redirect, target)
}

// biome-ignore format: a table
const LOCATED: readonly [written: string, expected: string | undefined][] = [
  ['/',                          'https://acme.example/'],
  ['/a/b',                       'https://acme.example/a/b'],
  ['/a?b=c&d',                   'https://acme.example/a?b=c&d'],
  ['/?',                         'https://acme.example/?'],
  ['/a?b?c',                     'https://acme.example/a?b?c'],
  ['/a%20b',                     'https://acme.example/a%20b'],
  ['http://x.test/a?b',          'https://acme.example/a?b'],
  ['HTTPS://x.test',             'https://acme.example/'],
  ['http://x.test?b',            'https://acme.example/?b'],
  ['*',                          undefined],
  ['',                           undefined],
  ['a/b',                        undefined],
  ['x.test:443',                 undefined],
  ['ftp://x.test/',              undefined],
  ['http:///a',                  undefined],
]

test('path and query are appended to the host', () => {
  for (const [written, expected] of LOCATED) assert.equal(locate(written), expected, written)
})

test('or left out, each by itself', () => {
  const without = (more: Partial<Redirect>) => locate('/a?b', { ...PLAIN, ...more })
  assert.equal(without({ preservePath: false }), 'https://acme.example/?b')
  assert.equal(without({ preserveQueryString: false }), 'https://acme.example/a')
  assert.equal(
    without({ preservePath: false, preserveQueryString: false }),
    'https://acme.example/',
  )
})

// biome-ignore format: a table
const HOSTILE: readonly string[] = [
  '//evil.test', '///evil.test', '////evil.test/%2f..', '/\\evil.test', '/\\/evil.test', '\\\\evil.test',
  '/@evil.test', '@evil.test', '/.evil.test', '.evil.test', ':80@evil.test', '/:80@evil.test',
  '/%0d%0aLocation:%20https://evil.test', '/\r\nLocation: https://evil.test', '/\tevil.test', '/%09/evil.test',
  '/https://evil.test', '/..//evil.test', '/./\\evil.test', '/%2f%2fevil.test', '/%5cevil.test', '/%00.evil.test',
  '/\0evil.test', '/#@evil.test', '/?@evil.test', '/?//evil.test', '?@evil.test', '/;@evil.test',
  'http://acme.test@evil.test/', 'http://acme.test\\@evil.test/', 'http://acme.test//evil.test', 'http://acme.test/\\evil.test',
  'http://acme.test#@evil.test', 'http://acme.test?@evil.test', 'javascript:alert(1)', '//evil.test\\@acme.example',
  '/\u00a0evil.test', '/\xad//evil.test', '/%E2%80%AE', '/evil.test"><script>', '/\x85evil.test', '/\x7fevil.test',
]

test('nothing that is asked for becomes another host', () => {
  for (const written of HOSTILE) {
    const location = locate(written)
    if (location === undefined) continue
    assert.match(location, /^https:\/\/acme\.example\/[\x21-\x7e]*$/, JSON.stringify(written))
    assert.doesNotMatch(location, /["<>\\^`{|}#]/, JSON.stringify(written))
    const { protocol, host, username, password } = new URL(location)
    assert.deepEqual([protocol, host, username, password], ['https:', 'acme.example', '', ''])
  }
})

// biome-ignore format: a table
const HOSTS: readonly [written: string, name: string][] = [
  ['acme.test',      'acme.test'],
  ['ACME.test',      'acme.test'],
  ['acme.test.',     'acme.test'],
  ['acme.test:80',   'acme.test'],
  ['acme.test.:80',  'acme.test'],
  ['acme.test:',     'acme.test'],
]

test('a host is known however it is written', () => {
  for (const [written, name] of HOSTS) assert.equal(hostName(written), name, written)
})
