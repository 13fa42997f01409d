import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { dkimName, dkimPublicKey, dkimRecord, REVOKED_DKIM_RECORD } from './dkim.ts'

test('the key record is at the selector’s name below the domain', () => {
  assert.equal(dkimName('s1', 'acme.com'), 's1._domainkey.acme.com')
  assert.equal(dkimName('s1.eu', 'mail.acme.com'), 's1.eu._domainkey.mail.acme.com')
})

test('a key that is written is read back', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  assert.match(dkimRecord(key), /^v=DKIM1; k=rsa; p=[A-Za-z0-9+/]+=*$/)
  assert.equal(dkimPublicKey(dkimRecord(key)), key)
})

// biome-ignore format: a table
const READ: [record: string, key: string | undefined][] = [
  ['v=DKIM1; k=rsa; p=MIIB',             'MIIB'],
  ['v=DKIM1; k=rsa; p=MIIB=',            'MIIB='],
  ['v=DKIM1; p=MIIB==; t=s',             'MIIB=='],
  ['p=MIIB',                             'MIIB'],
  ['p=MIIB;',                            'MIIB'],
  [' p = MI IB\tab ; k=rsa',             'MIIBab'],
  ['v=DKIM1;p=MIIB;n=p=other',           'MIIB'],
  ['v=DKIM1; n=a p=b; p=MIIB',           'MIIB'],
  ['v=DKIM1; k=rsa; p=',                 ''],
  ['v=DKIM1; p=; k=rsa',                 ''],
  ['p=',                                 ''],
  ['p= \t ',                             ''],
  ['',                                   undefined],
  ['v=DKIM1',                            undefined],
  ['v=DKIM1; k=rsa',                     undefined],
  ['v=DKIM1; sp=MIIB',                   undefined],
  ['v=DKIM1; P=MIIB',                    undefined], // RFC 6376 section 3.2: tags are case-sensitive.
  ['v=DKIM1; pp=MIIB',                   undefined],
  ['v=DKIM1; n=p=MIIB',                  undefined],
  ['v=DKIM1, p=MIIB',                    undefined],
  ['v=spf1 -all',                        undefined],
]

test('the key is read from its tag, without white space, wherever the tag stands', () => {
  for (const [record, key] of READ) assert.equal(dkimPublicKey(record), key, record)
})

test('a revoked key is an empty one, which is not the same as none', () => {
  assert.equal(dkimPublicKey(REVOKED_DKIM_RECORD), '')
  assert.equal(REVOKED_DKIM_RECORD, dkimRecord(''))
})
