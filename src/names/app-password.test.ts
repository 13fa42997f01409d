import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appPasswordId, isAppPassword, makeAppPassword } from './app-password.ts'

test('a password is known by its hash, and no other is', () => {
  const { id, password, hash } = makeAppPassword()
  assert.equal(appPasswordId(password), id)
  assert.equal(isAppPassword(password, hash), true)
  assert.equal(isAppPassword(makeAppPassword().password, hash), false)
  assert.equal(isAppPassword(`${password} `, hash), false)
  assert.doesNotMatch(hash, new RegExp(password.slice(8)))
})

test('what is no password of ours has no id', () => {
  const { password } = makeAppPassword()
  for (const guess of [
    '',
    'hunter2',
    password.slice(1),
    `${password}a`,
    password.toUpperCase(),
    `${password}\n`,
  ])
    assert.equal(appPasswordId(guess), undefined, guess)
})

// As `doveadm pw -s SSHA256 -p geheim` of Dovecot 2.3 writes it.
test('the notation is that of Dovecot', () => {
  const hash = '{SSHA256}47Cql13TA0pWruOcVg6pjuQI/VsEcRA6JMNKWczuMBqZ1I2Z'
  assert.equal(isAppPassword('geheim', hash), true)
  assert.equal(isAppPassword('geheimer', hash), false)
})
