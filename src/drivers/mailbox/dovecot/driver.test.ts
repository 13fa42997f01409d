import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startDovecot } from '#dovecot/dovecot.ts'
import { mailboxStore } from '#store/mail-domains.ts'
import { removedInboxes } from '#store/mailbox-copies.ts'
import { temporaryDirectory } from '../../../../test/directories.ts'
import { certificate, WITHOUT_DOVECOT } from '../../../../test/dovecot.ts'
import { testStore } from '../../../../test/store.ts'
import { mailboxDriverConformance } from '../conformance.ts'
import { embeddedMailboxDriver } from '../embedded/driver.ts'
import { dovecotMailboxDriver } from './driver.ts'
import { excuses } from './excuses.ts'

if (WITHOUT_DOVECOT) test('mailbox driver: dovecot', { skip: WITHOUT_DOVECOT }, () => {})
else await withDovecot()

async function withDovecot(): Promise<void> {
  const opened = new AsyncDisposableStack()
  after(() => opened.disposeAsync())
  const store = opened.use(await testStore())
  const { path: dataDir } = opened.use(await temporaryDirectory())
  const fail = (error: unknown) => assert.fail(String(error))
  const dovecot = opened.use(
    await startDovecot(
      {
        dataDir,
        listen: [{ address: '127.0.0.1', port: 0 }],
        tls: await certificate(),
        quotaMb: 0,
        findLogIn: async () => undefined,
        onLog: () => undefined,
        onTrouble: fail,
        onError: fail,
      },
      new AbortController().signal,
    ),
  )
  const embedded = embeddedMailboxDriver(mailboxStore(store, 'sandbox'), 'mx.mailstead.test')
  const driver = dovecotMailboxDriver(embedded, {
    removeInbox: dovecot.removeInbox,
    removeClaim: dovecot.removeClaim,
    removedInboxes: (claimId, localpart) => removedInboxes(store, claimId, localpart),
  })
  const newClaim = () => ({ claimId: randomUUID(), name: 'conformance.example', nameservers: [] })
  mailboxDriverConformance(
    'dovecot',
    async () => ({
      driver,
      claim: newClaim(),
      rival: newClaim(),
      async [Symbol.asyncDispose]() {},
    }),
    excuses,
  )

  test('the mail of a claim goes with its mail domain, and no other', async ({ signal }) => {
    const [claim, rival] = [newClaim(), newClaim()]
    const folder = ({ claimId }: { claimId: string }) => join(dataDir, 'mail', claimId)
    for (const { claimId } of [claim, rival]) {
      const mail = {
        sender: '',
        mailUser: `kim@${claimId}`,
        raw: Buffer.from('Subject: x\r\n\r\n'),
      }
      assert.deepEqual(await dovecot.deliver(mail, signal), { is: 'taken' })
    }
    assert.ok(existsSync(folder(claim)))
    await driver.removeDomain(claim, signal)
    assert.equal(existsSync(folder(claim)), false)
    assert.ok(existsSync(folder(rival)))
  })
}
