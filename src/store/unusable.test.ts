import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyUnusable } from './unusable.ts'

const coded = (code: string, message = 'said') => Object.assign(new Error(message), { code })

// biome-ignore format: a table
const UNUSABLE: readonly [what: string, error: unknown, is: string, sentence: RegExp][] = [
  ['nothing that listens',      coded('ECONNREFUSED'),  'away',    /^nothing listens where Postgres is to be \(said\)$/],
  ['two addresses of a name',   coded('ECONNREFUSED', ''), 'away', /\(ECONNREFUSED\)$/],
  ['no socket',                 coded('ENOENT'),        'away',    /^there is no socket of Postgres/],
  ['a name without an address', coded('ENOTFOUND'),     'away',    /^the host of Postgres has no address/],
  ['a host out of reach',       coded('EHOSTUNREACH'),  'away',    /^the host of Postgres cannot be reached/],
  ['a start',                   coded('57P03'),         'away',    /^Postgres is starting up/],
  ['a stop',                    coded('57P01'),         'away',    /^Postgres has ended the connection/],
  ['a full disk',               coded('53100'),         'away',    /^Postgres has trouble with its machine/],
  ['a standby',                 coded('25006'),         'away',    /^Postgres is read-only/],
  ['silence',                   new Error('timeout exceeded when trying to connect'), 'away', /^Postgres does not answer/],
  ['a deadlock of two starts',  coded('40P01'),         'away',    /^Postgres does not answer/],
  ['a wrong password',          coded('28P01'),         'refused', /^Postgres refuses the user or the password/],
  ['a user without entry',      coded('28000'),         'refused', /^Postgres refuses the user or the password/],
  ['no such database',          coded('3D000'),         'refused', /^Postgres has no database of the name/],
  ['missing rights',            coded('42501'),         'refused', /^the user of DATABASE_URL has not all rights/],
  ['an unknown certificate',    coded('SELF_SIGNED_CERT_IN_CHAIN'), 'refused', /^the certificate of Postgres is not trusted/],
  ['no TLS',                    new Error('The server does not support SSL connections'), 'refused', /does not support SSL/],
  ['no password',               new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), 'refused', /client password/],
]

for (const [what, error, is, sentence] of UNUSABLE) {
  test(`${what} is ${is === 'away' ? 'waited for' : 'for an operator to mend'}`, () => {
    const found = whyUnusable(error)
    assert.equal(found?.is, is)
    assert.match(found!.sentence, sentence)
  })
}

// biome-ignore format: a table
const BUGS: readonly unknown[] = [
  new TypeError('undefined is not a function'), coded('42P01'), coded('23505'), 'ENOENT', undefined,
  Object.assign(coded('EACCES'), { syscall: 'listen' }), Object.assign(coded('ENOENT'), { syscall: 'open' }),
]

test('what speaks of something else is no reason to wait', () => {
  for (const error of BUGS) assert.equal(whyUnusable(error), undefined)
})
