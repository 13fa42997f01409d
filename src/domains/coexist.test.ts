import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conflictOf } from './coexist.ts'
import type { CustomerRecord } from './customer-records.ts'

type Place = Pick<CustomerRecord, 'name' | 'type'>
type Contents = { ours?: Place[]; theirs?: Place[]; takesMail?: boolean }

const at = (name: string, type: CustomerRecord['type']): Place => ({
  name: name === '@' ? 'shop.test.' : `${name}.shop.test.`,
  type,
})
const conflict = (record: Place, { ours = [], theirs = [], takesMail = false }: Contents = {}) =>
  conflictOf(record, { domain: 'shop.test', ours, theirs, takesMail })

const FITS: [string, Place, Contents?][] = [
  ['an address in an empty zone', at('www', 'A')],
  ['a CNAME at a free name', at('www', 'CNAME'), { theirs: [at('blog', 'A')] }],
  ['a CNAME below another name', at('a.www', 'CNAME'), { theirs: [at('www', 'A')] }],
  ['a second address', at('www', 'A'), { theirs: [at('www', 'A')] }],
  ['a text beside our address', at('www', 'TXT'), { ours: [at('www', 'A')] }],
  ['an MX of a domain whose mail goes elsewhere', at('@', 'MX')],
  ['an MX of a host of a domain whose mail comes here', at('lists', 'MX'), { takesMail: true }],
  ['a delegation beside our names', at('dev', 'NS'), { ours: [at('@', 'MX'), at('bounce', 'MX')] }],
  ['a second nameserver of a delegation', at('dev', 'NS'), { theirs: [at('dev', 'NS')] }],
  ['a DS at a delegation', at('dev', 'DS'), { theirs: [at('dev', 'NS')] }],
]
for (const [what, record, zone] of FITS)
  test(`the zone can hold ${what}`, () => assert.equal(conflict(record, zone), undefined))

const CONFLICTS: [string, Place, Contents | undefined, RegExp][] = [
  ['a CNAME at the apex', at('@', 'CNAME'), undefined, /at the domain itself/],
  ['a CNAME beside an address', at('www', 'CNAME'), { theirs: [at('www', 'A')] }, /beside A of/],
  ['a CNAME beside a CNAME', at('www', 'CNAME'), { theirs: [at('www', 'CNAME')] }, /beside CNAME/],
  ['a CNAME beside our record', at('www', 'CNAME'), { ours: [at('www', 'A')] }, /beside A of/],
  ['an address beside a CNAME', at('www', 'A'), { theirs: [at('www', 'CNAME')] }, /nothing else/],
  [
    'a delegation beside a CNAME',
    at('dev', 'NS'),
    { theirs: [at('dev', 'CNAME')] },
    /nothing else/,
  ],
  ['an MX beside ours', at('@', 'MX'), { takesMail: true }, /another MX/],
  ['a delegation at our record', at('dev', 'NS'), { ours: [at('dev', 'A')] }, /would hide/],
  ['a delegation above our record', at('dev', 'NS'), { ours: [at('k.dev', 'TXT')] }, /would hide/],
  ['a delegation of the names of our keys', at('_domainkey', 'NS'), undefined, /would hide/],
  ['a delegation of the name of our policy', at('_dmarc', 'NS'), undefined, /would hide/],
  ['a DS without a delegation', at('dev', 'DS'), { theirs: [at('www', 'NS')] }, /has none/],
]
for (const [what, record, zone, sentence] of CONFLICTS)
  test(`the zone cannot hold ${what}`, () => assert.match(conflict(record, zone) ?? '', sentence))
