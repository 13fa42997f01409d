import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Resolver } from '#resolver/resolver.ts'
import { MailWorkers } from '../workers/mail-workers.ts'
import { type Copy, type IncomingStore, receive } from './receive.ts'

const workers = new MailWorkers()
after(() => workers[Symbol.asyncDispose]())

const session = {
  remoteAddress: '192.0.2.7',
  helo: 'mx.lead.example',
  envelopeSender: 'ann@lead.example',
}
const raw = Buffer.from('From: ann@lead.example\r\nSubject: Hello\r\n\r\nbody\r\n')

/** Two worlds; what is asked of the DNS and what is kept is written down. */
function bench(keep: IncomingStore['keep'] = async () => undefined) {
  const asked: string[] = []
  const kept: (readonly Copy[])[] = []
  const probes: string[] = []
  const resolver: Resolver = {
    async resolve(name, type) {
      asked.push(`${type} ${name}`)
      return { rcode: 'NXDOMAIN', records: [] }
    },
  }
  const store: IncomingStore = {
    mailDomain: async (domain, [mailbox]) => {
      const world = domain.endsWith('.test') ? 'sandbox' : 'live'
      return { is: 'hosted', claimId: domain, world, mailbox }
    },
    isProbe: async () => true,
    sentMessage: async () => undefined,
    keepAggregate: async () => {},
    recordReport: async () => undefined,
    async keep(content, copies) {
      await keep(content, copies)
      kept.push(copies)
    },
    async judgeProbe(recipient) {
      probes.push(recipient)
      return true
    },
  }
  const world = (name: string) => {
    return { name, probeHost: `probe.${name}`, mailHost: `mx.${name}`, resolver }
  }
  const options = { store, workers, worlds: [world('live'), world('sandbox')] }
  const take = (...recipients: string[]) =>
    receive({ raw, recipients, session }, options, AbortSignal.timeout(30_000))
  return { asked, kept, probes, take }
}

test('a message to several is judged once in each world, and kept for all of them at once', async () => {
  const one = bench()
  await one.take('kim@acme.example')
  const many = bench()
  await many.take('kim@acme.example', 'lee@acme.example', 'joe@other.example')
  assert.ok(one.asked.length > 0)
  assert.deepEqual(many.asked, one.asked)
  assert.equal(many.kept.length, 1)
  assert.deepEqual(
    many.kept[0]!.map(({ claimId, localpart, recipient }) => [claimId, localpart, recipient]),
    [
      ['acme.example', 'kim', 'kim@acme.example'],
      ['acme.example', 'lee', 'lee@acme.example'],
      ['other.example', 'joe', 'joe@other.example'],
    ],
  )

  const both = bench()
  await both.take('kim@acme.example', 'kim@acme.test')
  assert.equal(both.asked.length, 2 * one.asked.length)
  const stamps = both.kept[0]!.map(({ trace }) => /by (\S+)/.exec(trace)?.[1])
  assert.deepEqual(stamps, ['mx.live', 'mx.sandbox'])
})

test('a probe among them is judged, and nothing of it kept', async () => {
  const { take, kept, probes } = bench()
  await take('ABC@probe.live', 'probe-1@acme.example', 'kim@acme.example')
  assert.deepEqual(probes, ['abc@probe.live', 'probe-1@acme.example'])
  assert.deepEqual(
    kept[0]!.map(({ recipient }) => recipient),
    ['kim@acme.example'],
  )
  const only = bench(() => assert.fail())
  await only.take('abc@probe.live')
})

test('what could not be kept is not acknowledged', async () => {
  const { take } = bench(async () => {
    throw new Error('away')
  })
  await assert.rejects(take('kim@acme.example', 'lee@acme.example'), /away/)
})
