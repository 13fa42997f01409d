/** A workspace may send less in its first days. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { anotherWorkspace, testHouse } from '../house.ts'

const house = await testHouse({
  MAILSTEAD_SEND_LIMIT_PER_NEW_WORKSPACE: '4',
  MAILSTEAD_NEW_WORKSPACE_DAYS: '10',
})
after(() => house[Symbol.asyncDispose]())
const { store } = house

test('a new workspace has a limit of its own, over all its inboxes, until it is old enough', async () => {
  const workspace = anotherWorkspace()
  const client = await house.clientOf({ workspace })
  const { domain_id } = await client.addActive('new.test')
  const inboxes: string[] = []
  for (const email_prefix of ['kim', 'lee']) {
    const wish = { domain_id, email_prefix, display_name: 'Kim' }
    inboxes.push((await client.post('/sender-accounts/coldsend-native', wish)).body.inbox_id)
  }
  const send = (n: number) =>
    client.post(`/sender-accounts/${inboxes[n % 2]}/test-email`, {
      recipient_email: `n${n}@inbox.test`,
    })
  const answers = await Promise.all([0, 1, 2, 3, 4, 5].map(send))
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 429, 429])
  const { body } = answers.find(({ status }) => status === 429)!
  assert.deepEqual(
    [body.error, body.limit_of, body.limit],
    ['sending_limit_reached', 'new_workspace', 4],
  )
  const aged = (days: number) =>
    sql`update workspaces set created_at = now() - ${days} * interval '1 day' where id = ${workspace}`.execute(
      store.db,
    )
  await aged(9.9)
  assert.equal((await send(6)).status, 429)
  await aged(10)
  for (const n of [7, 8, 9, 10, 11]) assert.equal((await send(n)).status, 200)
})
