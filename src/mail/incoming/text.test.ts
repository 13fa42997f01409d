import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textOf } from './text.ts'

// biome-ignore format: a table
const TEXTS: [what: string, mail: { text?: string; html?: string }, expected: string | RegExp][] = [
  ['nothing',                         {},                                                       ''],
  ['the text part',                   { text: 'one\ntwo', html: '<p>other</p>' },               'one\ntwo'],
  ['paragraphs as lines',             { html: '<p>Hello <b>Kim</b></p><p>Bye</p>' },            'Hello Kim\n\nBye'],
  ['no script, style or comment',     { html: '<script>a()</script><style>p{}</style><!-- c -->Hi' }, 'Hi'],
  ['no image',                        { html: 'Hi<img src="https://track.test/1.gif" alt="x">' }, 'Hi'],
  ['a link with its target',          { html: '<a href="https://evil.test/">https://bank.test/</a>' }, /bank\.test.*evil\.test/],
  ['entities as characters',          { html: 'a &lt;b&gt; &amp; c' },                          'a <b> & c'],
  ['a tag that never ends',           { html: 'Hi <a href="' },                                 /^Hi/],
]
for (const [what, mail, expected] of TEXTS)
  test(`the text of a message: ${what}`, () => {
    const text = textOf(mail as Parameters<typeof textOf>[0], 100_000)
    if (typeof expected === 'string') assert.equal(text, expected)
    else assert.match(text, expected)
  })

// biome-ignore format: a table
const HOSTILE: [what: string, html: string][] = [
  ['deep nesting',     '<div>'.repeat(50_000)],
  ['many tags',        '<br>'.repeat(200_000)],
  ['many attributes',  `<a ${'x="1" '.repeat(100_000)}>y</a>`],
  ['an open comment',  '<!--'.repeat(100_000)],
  ['many lists',       '<ul><li>x'.repeat(20_000)],
  ['many tables',      '<table><tr><td>x'.repeat(20_000)],
]
for (const [what, html] of HOSTILE)
  test(`HTML with ${what} ends in a text`, () => {
    assert.equal(typeof textOf({ html } as Parameters<typeof textOf>[0], 100_000), 'string')
  })
