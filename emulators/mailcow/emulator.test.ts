import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DOMAIN, open, type Sent } from './caller.ts'

describe('keys', () => {
  test('a missing key sees nothing, with 200 and an empty body, and can change nothing', async () => {
    await using at = await open()
    const seen = await at.send('get/domain/all', undefined, { key: null })
    assert.deepEqual([seen.status, seen.text], [200, ''])
    const [entry] = await at.json('add/domain', DOMAIN, { key: null })
    assert.deepEqual([entry.type, entry.msg], ['danger', 'access_denied'])
    assert.equal((await at.send('delete/domain', ['ex.test'], { key: null })).status, 403)
    assert.deepEqual(at.mailcow.holdings().domains, [])
    assert.equal(at.mailcow.failedLogins, 0)
  })

  test('wrong keys are 401, and each is counted', async () => {
    await using at = await open()
    const { strangersApiKey } = at.mailcow
    for (const key of ['wrong', strangersApiKey]) {
      const { status, text } = await at.send('get/domain/all', undefined, { key })
      assert.equal(status, 401)
      assert.match(JSON.parse(text).msg, /^authentication failed$|^api access denied for ip/)
    }
    assert.equal(at.mailcow.failedLogins, 2)
  })

  test('a revoked key is 401 until it is restored', async () => {
    await using at = await open()
    at.mailcow.revoke()
    assert.equal((await at.send('add/domain', DOMAIN)).status, 401)
    at.mailcow.restore()
    assert.deepEqual(await at.get('domain/all'), {})
    assert.equal(at.mailcow.failedLogins, 1)
  })

  test('a read-only key reads, and writes nothing', async () => {
    await using at = await open()
    const key = at.mailcow.readOnlyApiKey
    assert.equal((await at.send('get/domain/all', undefined, { key })).status, 200)
    for (const path of ['add/domain', 'edit/domain', 'delete/domain'])
      assert.equal((await at.send(path, DOMAIN, { key })).status, 403)
    assert.deepEqual(at.mailcow.holdings().domains, [])
  })
})

describe('requests that are refused before anything is looked at', () => {
  const REFUSED: [string, unknown, Sent, number, string][] = [
    ['add/nothing', {}, {}, 404, 'route not found'],
    ['get/nothing', undefined, {}, 404, 'route not found'],
    ['get/constructor/x', undefined, {}, 404, 'route not found'],
    ['get/domain/template/all', undefined, {}, 404, 'route not found'],
    ['add/domain/template', {}, {}, 404, 'route not found'],
    ['boil/domain', {}, {}, 404, 'route not found'],
    ['add/domain', DOMAIN, { method: 'PUT' }, 405, 'only POST method is allowed'],
    ['delete/domain', ['ex.test'], { method: 'DELETE' }, 405, 'only POST method is allowed'],
    ['get/domain/all', {}, {}, 405, 'only GET method is allowed'],
    ['add/domain', undefined, { raw: '{oops' }, 400, "Request body doesn't contain valid json!"],
    ['add/domain', undefined, { raw: 'null' }, 400, "Request body doesn't contain valid json!"],
    ['add/domain', DOMAIN, { type: 'text/plain' }, 200, 'Cannot find attributes in post data'],
    ['delete/domain', ['x'], { type: 'text/plain' }, 200, 'Cannot find attributes in post data'],
  ]
  for (const [path, body, sent, status, msg] of REFUSED) {
    test(`${sent.method ?? ''} ${path} ${JSON.stringify(body ?? sent)} is ${status}`, async () => {
      await using at = await open()
      const answer = await at.send(path, body, sent)
      assert.equal(answer.status, status)
      assert.deepEqual(JSON.parse(answer.text), { type: 'error', msg })
      assert.deepEqual(at.mailcow.holdings().domains, [])
    })
  }

  test('what is not below /api/v1 is the web server’s to answer', async () => {
    await using at = await open()
    const { status, headers } = await fetch(`${at.mailcow.url}/admin`)
    assert.deepEqual([status, headers.get('content-type')], [404, 'text/html'])
  })
})

describe('relayhosts', () => {
  test('are not checked, and give their passwords away', async () => {
    await using at = await open()
    const relayhost = { hostname: 'bad host', username: 'u', password: 'secret' }
    const { text } = await at.send('add/relayhost', relayhost)
    assert.ok(text.includes('secret'), 'the echo shows it')
    assert.equal((await at.get('relayhost/all'))[0].password, 'secret')
    assert.deepEqual(await at.write('add/relayhost', { hostname: ' ' }), [
      ['danger', ['invalid_host', '']],
    ])
  })

  test('that are deleted are used by no domain any more', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/relayhost', { hostname: 'a.test', username: 'u', password: 'p' })
    await at.write('edit/domain', { items: ['ex.test'], attr: { relayhost: '1' } })
    assert.equal((await at.get('relayhost/1')).used_by_domains, 'ex.test')
    await at.write('delete/relayhost', [1])
    assert.equal((await at.get('domain/ex.test')).relayhost, '0')
    assert.equal(at.mailcow.holdings().relayhosts, 0)
  })
})

test('the quarantine is empty: a list, for once; and a delete in it always succeeds', async () => {
  await using at = await open()
  assert.deepEqual(await at.get('quarantine/all'), [])
  const attr = { action: 'release' }
  assert.deepEqual(await at.write('edit/qitem', { items: ['1'], attr }), [
    ['danger', 'access_denied'],
  ])
  assert.deepEqual(await at.write('delete/qitem', ['1']), [['success', ['item_deleted', '1']]])
})

describe('faults', () => {
  test('a write that is broken took no effect; one that is broken after did', async () => {
    await using at = await open()
    at.mailcow.faults.add({ kind: 'broken', about: 'add/domain' })
    assert.equal((await at.send('add/domain', DOMAIN)).status, 503)
    assert.deepEqual(at.mailcow.holdings().domains, [])
    at.mailcow.faults.add({ kind: 'broken_after', about: 'add/domain' })
    assert.equal((await at.send('add/domain', DOMAIN)).status, 503)
    assert.deepEqual(at.mailcow.holdings().domains, ['ex.test'])
  })

  test('a lost answer is to a write that took effect', async () => {
    await using at = await open()
    at.mailcow.faults.add({ kind: 'lost_after', about: 'add/domain' })
    await assert.rejects(at.send('add/domain', DOMAIN))
    assert.deepEqual(at.mailcow.holdings().domains, ['ex.test'])
  })

  test('refusals are in Mailcow’s words, and are no failed logins', async () => {
    await using at = await open()
    for (const [kind, status] of [
      ['unauthorized', 401],
      ['forbidden', 403],
      ['throttled_for_1s', 429],
    ] as const) {
      at.mailcow.faults.add({ kind })
      const answer = await at.send('get/domain/all')
      assert.equal(answer.status, status)
      if (status === 429) assert.equal(answer.headers.get('retry-after'), '1')
      else assert.equal(JSON.parse(answer.text).type, 'error')
    }
    assert.equal(at.mailcow.failedLogins, 0)
  })
})
