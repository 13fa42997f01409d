import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { appPassword, DOMAIN, mailbox, open, PASSWORD } from './caller.ts'

describe('mailboxes', () => {
  test('are refused, one reason at a time', async () => {
    await using at = await open()
    await at.write('add/domain', { ...DOMAIN, mailboxes: 2 })
    await at.write('add/mailbox', mailbox('a', { quota: 450 }))
    await at.write('add/alias', { address: 'sales@ex.test', goto: 'a@ex.test', active: 1 })
    const REFUSALS: [object, unknown][] = [
      [mailbox('a b'), 'mailbox_invalid'],
      [mailbox(''), 'mailbox_invalid'],
      [mailbox('.a'), 'mailbox_invalid'],
      [mailbox('x'.repeat(65)), 'mailbox_invalid'],
      [mailbox('ü'), 'mailbox_invalid'],
      [mailbox('b', { domain: 'no.test' }), 'access_denied'],
      [mailbox(' A '), ['object_exists', 'a@ex.test']],
      [mailbox('sales'), ['is_alias', 'sales@ex.test']],
      [mailbox('b', { password: '' }), 'password_complexity'],
      [mailbox('b', { password2: 'other' }), 'password_mismatch'],
      [mailbox('b', { password: '12345', password2: '12345' }), 'password_complexity'],
      [mailbox('b', { quota: 501 }), ['mailbox_quota_exceeded', 500]],
      [mailbox('b', { quota: undefined }), ['mailbox_quota_exceeded', 500]],
    ]
    for (const [body, msg] of REFUSALS)
      assert.deepEqual(await at.write('add/mailbox', body), [['danger', msg]])
    await at.write('add/mailbox', mailbox('b', { quota: 450 }))
    const full = [['danger', ['max_mailbox_exceeded', 2, 2]]]
    assert.deepEqual(await at.write('add/mailbox', mailbox('c')), full)
    await at.write('edit/domain', { items: ['ex.test'], attr: { mailboxes: 3 } })
    const left = [['danger', ['mailbox_quota_left_exceeded', 100]]]
    assert.deepEqual(await at.write('add/mailbox', mailbox('c', { quota: 101 })), left)
    assert.deepEqual(at.mailcow.holdings().mailboxes, ['a@ex.test', 'b@ex.test'])
  })

  test('may have any dot-string or quoted string for a localpart, in small letters', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    const localparts = ['!#$%*+-=?^_`{|}~', 'a+b', 'A.B', 'x'.repeat(64), '"q r"']
    for (const localpart of localparts)
      assert.deepEqual((await at.write('add/mailbox', mailbox(localpart))).at(-1), [
        'success',
        ['mailbox_added', `${localpart.toLowerCase()}@ex.test`.replaceAll('"', '&quot;')],
      ])
    for (const localpart of localparts) {
      const address = `${localpart.toLowerCase()}@ex.test`
      const shown = await at.get(`mailbox/${encodeURIComponent(address)}`)
      assert.equal(shown.username, address)
    }
  })

  test('with a slash are seen only in the list, and with an & are told of as in HTML', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a/b'))
    assert.deepEqual(await at.get(`mailbox/${encodeURIComponent('a/b@ex.test')}`), {})
    assert.equal((await at.get('mailbox/all/ex.test'))[0].username, 'a/b@ex.test')
    const [, added] = await at.write('add/mailbox', mailbox("o'r&d"))
    assert.deepEqual(added, ['success', ['mailbox_added', 'o&#039;r&amp;d@ex.test']])
  })

  test('are listed by domain; an empty list and an absent domain are {}', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    assert.deepEqual(await at.get('mailbox/all/ex.test'), {})
    assert.deepEqual(await at.get('mailbox/all/no.test'), {})
    for (const localpart of ['b', 'a_', 'ab']) await at.write('add/mailbox', mailbox(localpart))
    const listed: { local_part: string }[] = await at.get('mailbox/all/ex.test')
    assert.deepEqual(
      listed.map(({ local_part }) => local_part),
      ['ab', 'a_', 'b'],
    )
  })

  test('are edited, within what the domain has left', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a', { protocol_access: ['imap', 'smtp'] }))
    const attr = { quota: 500, name: '<Kim>', active: 0, imap_access: 0, tls_enforce_in: 1 }
    const edit = (more: object) => at.write('edit/mailbox', { items: ['A@ex.test'], attr: more })
    assert.deepEqual(await edit(attr), [['success', ['mailbox_modified', 'A@ex.test']]])
    assert.deepEqual(await edit({ quota: 501 }), [['danger', ['mailbox_quota_left_exceeded', 500]]])
    assert.deepEqual(await edit({ password: 'a', password2: 'b' }), [
      ['danger', 'password_mismatch'],
    ])
    const shown = await at.get('mailbox/a@ex.test')
    assert.deepEqual([shown.name, shown.active, shown.quota], ['Kim', 0, 500 << 20])
    const { imap_access, smtp_access, pop3_access, tls_enforce_in } = shown.attributes
    assert.deepEqual([imap_access, smtp_access, pop3_access, tls_enforce_in], ['0', '1', '0', '0'])
  })

  test('take what is theirs along; an absent one is refused', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a'))
    await at.write('add/mailbox', mailbox('b'))
    await at.write('add/alias', { address: '@ex.test', goto: 'a@ex.test', active: 1 })
    await at.write('add/alias', { address: 'c@ex.test', goto: 'a@ex.test b@ex.test', active: 1 })
    await at.write('add/app-passwd', appPassword('a@ex.test'))
    assert.deepEqual(await at.write('delete/mailbox', ['no@ex.test', 'a@ex.test']), [
      ['danger', 'access_denied'],
      ['success', ['mailbox_removed', 'a@ex.test']],
    ])
    const { mailboxes, aliases, appPasswords } = at.mailcow.holdings()
    assert.deepEqual([mailboxes, aliases, appPasswords], [['b@ex.test'], ['c@ex.test'], []])
    assert.equal((await at.get('alias/c@ex.test')).goto, 'b@ex.test')
  })

  test('obey the password policy, which is told in strings', async () => {
    await using at = await open({ passwordPolicy: { length: 4, numbers: 1, lowerupper: 1 } })
    await at.write('add/domain', DOMAIN)
    assert.deepEqual(await at.get('passwordpolicy'), {
      ...{ length: '4', chars: '0', special_chars: '0', lowerupper: '1', numbers: '1' },
    })
    for (const [password, isGood] of [
      ['abcd1', false],
      ['Abcd', false],
      ['aB1', false],
      ['aBc1', true],
    ] as const) {
      const [last] = (
        await at.write('add/mailbox', mailbox('p', { password, password2: password }))
      ).reverse()
      assert.equal(last?.[0] === 'success', isGood, password)
    }
  })

  test('passwords are masked in what is echoed', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    const { text } = await at.send('add/mailbox', mailbox('a'))
    assert.ok(!text.includes(PASSWORD.password))
  })
})

describe('app passwords', () => {
  test('added twice are two, and only their hashes are shown', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a'))
    for (const _ of [1, 2]) await at.write('add/app-passwd', appPassword('a@ex.test'))
    assert.deepEqual(at.mailcow.holdings().appPasswords, ['a@ex.test/cp', 'a@ex.test/cp'])
    const shown = await at.get('app-passwd/all/a@ex.test')
    assert.deepEqual([shown[0].id, shown[1].id], [1, 2])
    assert.match(shown[0].password, /^\{BLF-CRYPT\}\$2y\$10\$[./A-Za-z0-9]{53}$/)
    assert.deepEqual([shown[0].imap_access, shown[0].smtp_access], [1, 0])
  })

  test('are refused', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/mailbox', mailbox('a'))
    const REFUSALS: [object, unknown][] = [
      [appPassword('no@ex.test'), 'access_denied'],
      [appPassword('a@ex.test', { app_passwd2: 'x' }), 'password_mismatch'],
      [appPassword('a@ex.test', { app_passwd: '', app_passwd2: '' }), 'password_complexity'],
      [appPassword('a@ex.test', { app_name: ' ' }), 'app_name_empty'],
    ]
    for (const [body, msg] of REFUSALS)
      assert.deepEqual(await at.write('add/app-passwd', body), [['danger', msg]])
    assert.deepEqual(await at.write('delete/app-passwd', ['9']), [
      ['danger', 'app_passwd_id_invalid'],
    ])
    assert.deepEqual(await at.get('app-passwd/all/a@ex.test'), {})
  })
})

describe('aliases', () => {
  test('are refused one by one, and the others made', async () => {
    await using at = await open()
    await at.write('add/domain', { ...DOMAIN, aliases: 2 })
    await at.write('add/mailbox', mailbox('a'))
    const add = (address: string, goto = 'a@ex.test') =>
      at.write('add/alias', { address, goto, active: 1 })
    assert.deepEqual(await add('a@ex.test;s@no.test\ns@ex.test', 'b@ex.test,bad'), [
      ['danger', ['goto_invalid', '@']],
      ['danger', ['is_alias_or_mailbox', 'a@ex.test']],
      ['danger', ['domain_not_found', 'no.test']],
      ['success', ['alias_added', 's@ex.test', '2']],
    ])
    assert.deepEqual(await add(''), [['danger', 'alias_empty']])
    assert.deepEqual(await add('t@ex.test', ''), [['danger', 'goto_empty']])
    assert.deepEqual(await add('.t@ex.test'), [['danger', ['alias_invalid', '.t@ex.test']]])
    await add('t@ex.test')
    assert.deepEqual(await add('u@ex.test'), [['danger', 'max_alias_exceeded']])
    assert.deepEqual(at.mailcow.holdings().aliases, ['s@ex.test', 't@ex.test'])
  })

  test('that nobody made active are not', async () => {
    await using at = await open()
    await at.write('add/domain', DOMAIN)
    await at.write('add/alias', { address: 's@ex.test', goto_null: 1 })
    const shown = await at.get('alias/s@ex.test')
    assert.deepEqual([shown.active, shown.goto], [0, 'null@localhost'])
    assert.deepEqual(await at.write('delete/alias', [shown.id, '99']), [
      ['success', ['alias_removed', 's@ex.test']],
      ['danger', 'access_denied'],
    ])
    assert.deepEqual(await at.get('alias/all'), {})
  })
})

describe('rate limits', () => {
  test('of a mailbox go before those of its domain, and an empty value clears', async () => {
    await using at = await open()
    await at.write('add/domain', { ...DOMAIN, rl_value: 9, rl_frame: 'd' })
    await at.write('add/mailbox', mailbox('a'))
    const scope = async () => {
      const { rl, rl_scope } = await at.get('mailbox/a@ex.test')
      return [rl, rl_scope]
    }
    assert.deepEqual(await scope(), [{ value: '9', frame: 'd' }, 'domain'])
    const edit = (attr: object) => at.write('edit/rl-mbox', { items: ['a@ex.test'], attr })
    await edit({ rl_value: '5', rl_frame: 'm' })
    assert.deepEqual(await scope(), [{ value: '5', frame: 'm' }, 'mailbox'])
    assert.deepEqual(await at.get('rl-mbox/all'), [
      { value: '5', frame: 'm', mailbox: 'a@ex.test' },
    ])
    await edit({ rl_value: '', rl_frame: 'm' })
    assert.deepEqual(await at.get('rl-mbox/a@ex.test'), {})
    assert.deepEqual(await edit({ rl_value: '1', rl_frame: 'w' }), [['danger', 'rl_timeframe']])
  })

  test('are refused for what is not here, and end with their domain', async () => {
    await using at = await open()
    const edit = () =>
      at.write('edit/rl-domain', { items: ['ex.test'], attr: { rl_value: 1, rl_frame: 'h' } })
    assert.deepEqual(await edit(), [['danger', 'access_denied']])
    await at.write('add/domain', DOMAIN)
    await edit()
    await at.write('delete/domain', ['ex.test'])
    await at.write('add/domain', DOMAIN)
    assert.deepEqual(await at.get('rl-domain/ex.test'), {})
  })
})
