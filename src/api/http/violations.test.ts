import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type Issue, violationOf } from './violations.ts'

const issue = (code: string, more: Partial<Issue> = {}): Issue => {
  return { code, path: ['f'], message: 'Wrong.', ...more }
}

// biome-ignore format: a table
const TYPES: [issue: Issue, expected: string][] = [
  [issue('invalid_type', { expected: 'string' }),        'type_error.str'],
  [issue('invalid_type', { expected: 'int' }),           'type_error.integer'],
  [issue('invalid_type', { expected: 'number' }),        'type_error.integer'],
  [issue('invalid_type', { expected: 'boolean' }),       'type_error.bool'],
  [issue('invalid_type', { expected: 'array' }),         'type_error.list'],
  [issue('invalid_type', { expected: 'object' }),        'type_error.dict'],
  [issue('invalid_type', { expected: 'record' }),        'type_error.dict'],
  [issue('invalid_type', { expected: 'date' }),          'type_error.date'],
  [issue('too_small', { origin: 'string' }),             'value_error.any_str.min_length'],
  [issue('too_small', { origin: 'array' }),              'value_error.list.min_items'],
  [issue('too_small', { origin: 'number' }),             'value_error.number.not_ge'],
  [issue('too_small', { origin: 'int' }),                'value_error.number.not_ge'],
  [issue('too_small'),                                   'value_error.number.not_ge'],
  [issue('too_big', { origin: 'string' }),               'value_error.any_str.max_length'],
  [issue('too_big', { origin: 'array' }),                'value_error.list.max_items'],
  [issue('too_big', { origin: 'number' }),               'value_error.number.not_le'],
  [issue('too_big'),                                     'value_error.number.not_le'],
  [issue('invalid_format', { format: 'uuid' }),          'value_error.uuid'],
  [issue('invalid_format', { format: 'email' }),         'value_error.email'],
  [issue('invalid_format', { format: 'regex' }),         'value_error.str.regex'],
  [issue('invalid_format'),                              'value_error.str.regex'],
  [issue('invalid_value'),                               'type_error.enum'],
  [issue('custom', { params: { type: 'value_error.domain' } }), 'value_error.domain'],
  [issue('custom', { params: { type: 7 } }),             'value_error'],
  [issue('custom', { params: {} }),                      'value_error'],
  [issue('custom'),                                      'value_error'],
  [issue('invalid_union'),                               'value_error'],
  [issue('not_multiple_of'),                             'value_error'],
  [issue('unheard_of'),                                  'value_error'],
]

test('what the schema library found becomes a type of the wire’s vocabulary', () => {
  for (const [found, type] of TYPES) {
    const violation = violationOf('body', { f: 'x' }, found)
    assert.deepEqual(violation, { loc: ['body', 'f'], msg: 'Wrong.', type }, JSON.stringify(found))
  }
})

// biome-ignore format: a table
const MISSING: [what: string, raw: unknown, path: PropertyKey[], isMissing: boolean][] = [
  ['an absent field',                   {},                    ['f'],             true],
  ['an undefined field',                { f: undefined },      ['f'],             true],
  ['a field of an absent object',       {},                    ['f', 'g'],        true],
  ['a field of null',                   { f: null },           ['f', 'g'],        true],
  ['a field of a string',               { f: 'x' },            ['f', 'length'],   true],
  ['an item past the end of a list',    { f: ['x'] },          ['f', 1],          true],
  ['an absent body',                    undefined,             [],                true],
  ['a field of an absent body',         undefined,             ['f'],             true],
  ['a field of a body that is null',    null,                  ['f'],             true],
  ['null',                              { f: null },           ['f'],             false],
  ['an empty string',                   { f: '' },             ['f'],             false],
  ['false',                             { f: false },          ['f'],             false],
  ['zero',                              { f: 0 },              ['f'],             false],
  ['an item of a list',                 { f: [null] },         ['f', 0],          false],
  ['a body that is a list',             [],                    [],                false],
]

for (const [what, raw, path, isMissing] of MISSING) {
  test(`${what} is ${isMissing ? '' : 'not '}missing`, () => {
    const violation = violationOf('body', raw, {
      code: 'invalid_type',
      expected: 'string',
      path,
      message: 'm',
    })
    assert.equal(violation.type, isMissing ? 'value_error.missing' : 'type_error.str')
    assert.equal(violation.msg, isMissing ? 'field required' : 'm')
    assert.deepEqual(violation.loc, ['body', ...path])
  })
}

test('what we found ourselves is never missing: the sentence is ours', () => {
  const found = issue('custom', { path: [], params: { type: 'value_error.domain' } })
  assert.equal(violationOf('query', undefined, found).type, 'value_error.domain')
})

test('the place begins with the part of the request; items of lists keep their numbers', () => {
  const found = issue('invalid_value', { path: ['domains', 3, 'name', Symbol('s')] })
  const raw = { domains: [0, 1, 2, { name: 'x' }] }
  assert.deepEqual(violationOf('query', raw, found).loc, [
    'query',
    'domains',
    3,
    'name',
    'Symbol(s)',
  ])
})

const SCHEMA = z.object({
  name: z.string().min(2).max(4),
  page: z.int().min(1).max(9),
  id: z.uuid(),
  tags: z.array(z.string()).min(1).max(2),
  kind: z.enum(['a', 'b']),
  flag: z.boolean(),
})
const GOOD = {
  name: 'abc',
  page: 1,
  id: '0198c0de-0000-7000-8000-000000000000',
  tags: ['x'],
  kind: 'a',
  flag: true,
}

// biome-ignore format: a table
const FOUND: [change: object, field: string, type: string][] = [
  [{ name: undefined },           'name', 'value_error.missing'],
  [{ name: null },                'name', 'type_error.str'],
  [{ name: 7 },                   'name', 'type_error.str'],
  [{ name: 'a' },                 'name', 'value_error.any_str.min_length'],
  [{ name: 'abcde' },             'name', 'value_error.any_str.max_length'],
  [{ page: '1' },                 'page', 'type_error.integer'],
  [{ page: 1.5 },                 'page', 'type_error.integer'],
  [{ page: 0 },                   'page', 'value_error.number.not_ge'],
  [{ page: 10 },                  'page', 'value_error.number.not_le'],
  [{ id: 'x' },                   'id',   'value_error.uuid'],
  [{ id: 7 },                     'id',   'type_error.str'],
  [{ tags: 'x' },                 'tags', 'type_error.list'],
  [{ tags: [] },                  'tags', 'value_error.list.min_items'],
  [{ tags: ['x', 'y', 'z'] },     'tags', 'value_error.list.max_items'],
  [{ tags: [7] },                 'tags', 'type_error.str'],
  [{ kind: 'c' },                 'kind', 'type_error.enum'],
  [{ kind: undefined },           'kind', 'value_error.missing'],
  [{ flag: 'true' },              'flag', 'type_error.bool'],
]

test('the schema library speaks as the table expects', () => {
  assert.ok(SCHEMA.safeParse(GOOD).success)
  for (const [change, field, type] of FOUND) {
    const raw = { ...GOOD, ...change }
    const { error } = SCHEMA.safeParse(raw)
    const violations = error!.issues.map((found) => violationOf('body', raw, found as Issue))
    const what = JSON.stringify(change)
    assert.deepEqual(
      violations.map((each) => each.type),
      [type],
      what,
    )
    assert.equal(violations[0]?.loc[1], field, what)
  }
})
