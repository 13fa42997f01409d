import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeadAddress } from './dead-address.ts'

// biome-ignore format: a table
const REPLIES: [reply: string, expected: boolean][] = [
  ['550 5.1.1 no such user',                                  true],
  ['550-5.1.1 The email account that you tried to reach',     true],
  ['5.1.1',                                                   true],
  ['550 5.1.10 RESOLVER.ADR.RecipientNotFound',               true],
  ['556 5.1.10 the domain takes no mail',                     true],
  ['550 5.2.1 The email account is disabled.',                true],
  ['553 5.1.2 no such domain',                                true],
  ['551 5.1.6 the user has moved',                            true],
  ['550 5.7.1 message refused by policy',                     false],
  ['552 5.2.2 the mailbox is full',                           false],
  ['554 5.7.1 Service unavailable; blocked using a list',     false],
  ['550 user unknown',                                        false],
  ['450 4.1.1 try again later',                               false],
  ['4.4.7 given up: 4.4.1 no answer',                         false],
  ['550 5.1.15 something new',                                false],
  ['550 5.7.25 see https://example.net/5.1.1',                false],
  ['250 2.0.0 15.1.1 queued',                                 false],
  ['',                                                        false],
]
for (const [reply, expected] of REPLIES)
  test(`${expected ? 'a dead address' : 'no dead address'}: ${reply || 'nothing'}`, () =>
    assert.equal(isDeadAddress(reply), expected))
