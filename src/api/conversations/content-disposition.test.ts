import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentDisposition } from './content-disposition.ts'

// biome-ignore format: a table
const NAMES: readonly [name: string, ascii: string, encoded: string][] = [
  ['report.pdf',          'report.pdf',        'report.pdf'],
  ['a b.pdf',             'a b.pdf',           'a%20b.pdf'],
  ['Grüße 金.txt',        'Gr__e _.txt',       'Gr%C3%BC%C3%9Fe%20%E9%87%91.txt'],
  ['🙂.png',              '_.png',             '%F0%9F%99%82.png'],
  ['a"; b="c.exe',        'a_; b=_c.exe',      'a%22%3B%20b%3D%22c.exe'],
  ['a\\".pdf',            'a__.pdf',           'a%5C%22.pdf'],
  ['100%25.pdf',          '100_25.pdf',        '100%2525.pdf'],
  ["it's (1)*.pdf",       "it's (1)*.pdf",     'it%27s%20%281%29%2A.pdf'],
  ['a\r\nX: y',           'a__X: y',           'a%0D%0AX%3A%20y'],
]
for (const [name, ascii, encoded] of NAMES)
  test(`the header field for ${JSON.stringify(name)}`, () => {
    assert.equal(
      contentDisposition(name),
      `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`,
    )
  })
