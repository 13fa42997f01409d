import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { describe, test } from 'node:test'
import { DOMAIN, mailbox, open } from './caller.ts'

describe('domains', () => {
  const REFUSED: [object, unknown][] = [
    [{ domain: 'not a domain' }, 'domain_invalid'],
    [{ domain: '-a.test' }, 'domain_invalid'],
    [{ domain: undefined }, 'domain_invalid'],
    [{ domain: 'mail.mailcow.test' }, 'domain_cannot_match_hostname'],
    [{ domain: 'Here.test' }, ['domain_exists', 'here.test']],
    [{ maxquota: 1001 }, 'mailbox_quota_exceeds_domain_quota'],
    [{ defquota: '501' }, 'mailbox_defquota_exceeds_mailbox_maxquota'],
    [{ defquota: 0 }, 'defquota_empty'],
  ]
  test('are refused with HTTP 200, and nothing is made', async () => {
    await using at = await open()
    await at.write('add/domain', { ...DOMAIN, domain: 'here.test' })
    for (const [change, msg] of REFUSED)
      assert.deepEqual(await at.write('add/domain', { ...DOMAIN, ...change }), [['danger', msg]])
    assert.deepEqual(at.mailcow.holdings().domains, ['here.test'])
    assert.deepEqual(at.mailcow.holdings().dkim, ['here.test'])
  })

  test('are made with what an administrator set, and with a DKIM key', async () => {
    await using at = await open({ limits: { mailboxes: 7 } })
    assert.deepEqual(await at.write('add/domain', { domain: ' Bücher.TEST ' }), [
      ['success', ['dkim_added', 'xn--bcher-kva.test']],
      ['success', ['domain_added', 'xn--bcher-kva.test']],
    ])
    const domain = await at.get('domain/xn--bcher-kva.test')
    assert.equal(domain.domain_h_name, 'bücher.test')
    assert.equal(domain.description, 'xn--bcher-kva.test')
    assert.equal(domain.max_num_mboxes_for_domain, 7)
    assert.equal(domain.max_num_aliases_for_domain, 400)
    assert.equal(domain.def_quota_for_mbox, 3072 * 1024 * 1024, 'bytes come out')
    assert.equal(domain.rl, false)
    const { pubkey, dkim_selector, length } = await at.get('dkim/xn--bcher-kva.test')
    const key = createPublicKey({ key: pubkey, encoding: 'base64', format: 'der', type: 'spki' })
    assert.equal(key.asymmetricKeyDetails?.modulusLength, 2048)
    assert.deepEqual([dkim_selector, length], ['dkim', '2048'])
  })

  test('keep their description and tags; an edit adds tags and cannot empty a description', async () => {
    await using at = await open()
    await at.write('add/domain', { ...DOMAIN, description: 'claim 1', tags: ['b', ''] })
    const attr = { description: '', tags: ['a', 'b'] }
    await at.write('edit/domain', { items: 'ex.test', attr })
    const { description, tags, modified } = await at.get('domain/ex.test')
    assert.deepEqual([description, tags], ['claim 1', ['a', 'b']])
    assert.notEqual(modified, null)
    assert.equal((await at.get('domain/all?tags=a')).length, 1)
    assert.deepEqual(await at.get('domain/all?tags=z'), {})
  })

  test('take 26 tags, and say so when there are more', async () => {
    await using at = await open()
    const tags = Array.from({ length: 30 }, (_, index) => `tag${index}`)
    const [warning] = await at.write('add/domain', { ...DOMAIN, tags })
    assert.deepEqual(warning, ['warning', ['tag_limit_exceeded', 'limit 25']])
    assert.equal((await at.get('domain/ex.test')).tags.length, 26)
  })

  test('are added although their rate limit or selector is refused', async () => {
    await using at = await open()
    const odd = { ...DOMAIN, rl_value: 5, rl_frame: 'w', dkim_selector: 'a b' }
    assert.deepEqual(await at.write('add/domain', odd), [
      ['danger', 'rl_timeframe'],
      ['danger', ['dkim_domain_or_sel_invalid', 'ex.test']],
      ['success', ['domain_added', 'ex.test']],
    ])
    assert.deepEqual(at.mailcow.holdings().dkim, [])
  })

  test('do not shrink below what is in them', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a', { quota: 400 }))
    await at.write('add/mailbox', mailbox('b', { quota: 300 }))
    await at.write('add/alias', { address: 'c@ex.test,d@ex.test', goto: 'a@ex.test', active: 1 })
    const REFUSALS: [object, unknown][] = [
      [{ maxquota: 300 }, ['max_quota_in_use', '400']],
      [{ quota: 650 }, ['domain_quota_m_in_use', '700']],
      [{ mailboxes: 1 }, ['mailboxes_in_use', 2]],
      [{ aliases: 1 }, ['aliases_in_use', 2]],
      [{ defquota: 600 }, 'mailbox_defquota_exceeds_mailbox_maxquota'],
    ]
    for (const [attr, msg] of REFUSALS)
      assert.deepEqual(await at.write('edit/domain', { items: ['ex.test'], attr }), [
        ['danger', msg],
      ])
  })

  test('an edit or a delete of nothing is a task completed', async () => {
    await using at = await open()
    const completed = { type: 'success', msg: 'Task completed' }
    assert.deepEqual(await at.json('edit/domain', { attr: { mailboxes: 5 } }), completed)
    assert.deepEqual(await at.json('delete/domain', []), completed)
  })

  test('an absent one is deleted with success; one with a mailbox is not deleted', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a'))
    assert.deepEqual(await at.write('delete/domain', ['ex.test', 'no.test', 'n o']), [
      ['danger', ['domain_not_empty', 'ex.test']],
      ['success', ['domain_removed', 'no.test']],
      ['danger', 'domain_invalid'],
    ])
    assert.deepEqual(at.mailcow.holdings().domains, ['ex.test'])
  })

  test('added many times at once are made once', async () => {
    await using at = await open()
    const answers = await Promise.all([1, 2, 3].map(() => at.write('add/domain', DOMAIN)))
    const last = answers.map((entries) => entries.at(-1)?.[0])
    assert.deepEqual(last.toSorted(), ['danger', 'danger', 'success'])
  })

  test('with SOGo down one is added with a warning, which is no failure', async () => {
    await using at = await open()
    at.mailcow.down.add('sogo')
    const entries = await at.write('add/domain', { ...DOMAIN, restart_sogo: 1 })
    assert.deepEqual(entries.at(-1), ['warning', 'domain_added_sogo_failed'])
    assert.deepEqual(at.mailcow.holdings().domains, ['ex.test'])
  })
})

describe('DKIM keys', () => {
  test('survive their domain, and serve it again', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    const { pubkey } = await at.get('dkim/ex.test')
    await at.write('delete/domain', ['ex.test'])
    assert.deepEqual(at.mailcow.holdings().dkim, ['ex.test'])
    assert.deepEqual((await at.write('add/domain', DOMAIN))[0], [
      'success',
      'domain_add_dkim_available',
    ])
    assert.equal((await at.get('dkim/ex.test')).pubkey, pubkey)
  })

  test('are another key once the old one was deleted, which succeeds twice', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    const { pubkey } = await at.get('dkim/ex.test')
    for (const _ of [1, 2])
      assert.deepEqual(await at.write('delete/dkim', ['ex.test']), [
        ['success', ['dkim_removed', 'ex.test']],
      ])
    assert.deepEqual(await at.get('dkim/ex.test'), {})
    const wanted = { domains: 'ex.test', dkim_selector: 'k.1', key_size: '1024' }
    assert.deepEqual(await at.write('add/dkim', wanted), [['success', ['dkim_added', 'ex.test']]])
    const made = await at.get('dkim/ex.test')
    assert.notEqual(made.pubkey, pubkey)
    assert.deepEqual([made.dkim_selector, made.length, made.privkey], ['k.1', '1024', ''])
  })

  test('are refused in the same words when there is one and when a name is bad', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    const domains = 'ex.test, b_ad no.test'
    assert.deepEqual(await at.write('add/dkim', { domains, dkim_selector: 's', key_size: 2048 }), [
      ['danger', ['dkim_domain_or_sel_invalid', 'ex.test']],
      ['danger', ['dkim_domain_or_sel_invalid', 'b_ad']],
      ['danger', ['access_denied', 'no.test']],
    ])
    await at.write('delete/dkim', ['ex.test'])
    for (const key_size of [0, 64, 1 << 20])
      assert.deepEqual(await at.write('add/dkim', { domains: 'ex.test', key_size }), [
        ['danger', ['dkim_domain_or_sel_invalid', 'ex.test']],
      ])
  })
})
