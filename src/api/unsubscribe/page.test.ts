import assert from 'node:assert/strict'
import { test } from 'node:test'
import { donePage, questionPage, UNKNOWN_PAGE } from './page.ts'

// biome-ignore format: a table
const ADDRESSES: readonly [address: string, shown: string][] = [
  ['ann@acme.example',                    'a…@acme.example'],
  ['a@acme.example',                      'a…@acme.example'],
  ['"a@b"@acme.example',                  '&quot;…@acme.example'],
  ['<script>@acme.example',               '&lt;…@acme.example'],
  ['ann@"><script>alert(1)</script>',     'a…@&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;'],
  ['ann@x&y.example',                     'a…@x&amp;y.example'],
  ['😀nn@acme.example',                    '😀…@acme.example'],
]

test('an address is shown by its first character and its domain, and is only ever text', () => {
  for (const [address, shown] of ADDRESSES)
    for (const page of [questionPage(address), donePage(address)]) {
      assert.ok(page.includes(` to ${shown}`), `${address}: ${page}`)
      assert.ok(!page.includes('<script'))
    }
})

test('without an address the pages name none', () => {
  for (const page of [questionPage(undefined), donePage(undefined), UNKNOWN_PAGE])
    assert.doesNotMatch(page, /undefined|…|@/)
})
