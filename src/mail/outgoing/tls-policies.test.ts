/** Destinations that say by which TLS they may be reached (RFC 8461), and hosts in between that would like otherwise. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttps } from 'node:https'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { generate } from 'selfsigned'
import { SMTPServer } from 'smtp-server'
import type { Resolver } from '#resolver/resolver.ts'
import type { AttemptResult } from './mail.ts'
import { Sessions } from './sessions.ts'
import { type FoundPolicy, TlsPolicies } from './tls-policies.ts'
import { transfer } from './transfer.ts'

const POLICY_HOST = '127.0.54.80'
const SILENT_HOST = '127.0.54.81'
const PRIVATE_HOST = '127.0.54.82'
/** An exchanger with a certificate of its name, one with another's, and one without TLS. */
const [GOOD, MISNAMED, PLAIN] = ['127.0.54.1', '127.0.54.2', '127.0.54.3']
const ADDRESSES: Readonly<Record<string, string>> = {
  'mx.good.example': GOOD,
  'mx.misnamed.example': MISNAMED,
  'mx.plain.example': PLAIN,
}

/** What the world says at the moment. */
const dns = new Map<string, string>()
const files = new Map<string, { status: number; type: string; body: string }>()
const opened: AsyncDisposableStack[] = []
const arrived: string[] = []
const fetched: string[] = []
let smtpPort = 0

const certificateOf = async (name: string) => {
  const altNames = [{ type: 2 as const, value: name }]
  const notAfterDate = new Date(Date.now() + 86_400_000)
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm: 'sha256',
    notAfterDate,
    extensions: [{ name: 'subjectAltName', altNames }],
  })
  return { key: made.private, cert: made.cert }
}

/** Policies are fetched from port 443 alone. */
async function whyNot443(): Promise<string | false> {
  const server = createHttps()
  server.listen(443, POLICY_HOST)
  try {
    await once(server, 'listening')
    return false
  } catch (error) {
    return `cannot listen at port 443: ${(error as NodeJS.ErrnoException).code}`
  } finally {
    server.close()
  }
}
const skip = await whyNot443()

async function listenSmtp(
  address: string,
  tls: { key: string; cert: string } | undefined,
): Promise<AsyncDisposable> {
  const server = new SMTPServer({
    ...tls,
    authOptional: true,
    disabledCommands: tls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
    onData(stream, { envelope, secure }, done) {
      stream.resume().on('end', () => {
        arrived.push(`${envelope.rcptTo[0]?.address} ${secure ? 'TLS' : 'plain'}`)
        done()
      })
    },
  })
  server.on('error', () => {})
  server.listen(smtpPort, address)
  await once(server.server, 'listening')
  smtpPort = (server.server.address() as { port: number }).port
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) }
}

async function listenPolicies(address: string, tls: { key: string; cert: string }) {
  const server = createHttps(tls, (request, response) => {
    const name = request.headers.host ?? ''
    fetched.push(name)
    const file = request.url === '/.well-known/mta-sts.txt' ? files.get(name) : undefined
    const { status, type, body } = file ?? { status: 404, type: 'text/plain', body: '' }
    response.writeHead(status, { 'content-type': type }).end(body)
  })
  server.listen(443, address)
  await once(server, 'listening')
  return { [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) }
}

const resolver: Resolver = {
  async resolve(name, type) {
    const data = dns.get(`${type} ${name}`) ?? (type === 'A' ? ADDRESSES[name] : undefined)
    if (data === undefined) return { rcode: 'NXDOMAIN', records: [] }
    return { rcode: 'NOERROR', records: [{ name, type, ttl: 60, data }] }
  },
}

/** The policies of one process; `kept` is what it shares with others. */
function policiesWith(kept = new Map<string, FoundPolicy>()) {
  let now = 0
  const policies = new TlsPolicies({
    resolver,
    mayConnect: (address) => address !== PRIVATE_HOST,
    store: {
      find: async (domain) => kept.get(domain),
      keep: async (domain, policy) => void kept.set(domain, policy),
    },
    now: () => now,
  })
  return { kept, policies, later: () => (now += 600_000) }
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']
  .map((label) => `${label}.example`)
  .values()

/** A destination with that exchanger and that policy. */
function destination(exchanger: string, policy: string, host = POLICY_HOST): string {
  const domain = NAMES.next().value!
  dns.set(`MX ${domain}`, `10 ${exchanger}.`)
  dns.set(`TXT _mta-sts.${domain}`, '"v=STSv1; id=1;"')
  dns.set(`A mta-sts.${domain}`, host)
  files.set(`mta-sts.${domain}`, { status: 200, type: 'text/plain', body: policy })
  return domain
}

const policyOf = (mode: string, mx: string): string =>
  `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`

async function send(domain: string, policies: TlsPolicies): Promise<AttemptResult> {
  using sessions = new Sessions()
  const delivery = {
    envelopeSender: 'kim@acme.example',
    recipient: `ann@${domain}`,
    raw: Buffer.from('Subject: x\r\n\r\nbody\r\n'),
  }
  const options = {
    resolver,
    sessions,
    policies,
    mailHost: 'mx.product.example',
    smtpPort: () => smtpPort,
    mayConnect: () => true,
    sourceAddresses: [],
    smarthost: undefined,
  }
  return transfer(delivery, options, AbortSignal.timeout(30_000))
}

const isFree = (address: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, address)
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', () => resolve(true))
  })

describe('a destination', { skip }, () => {
  before(async () => {
    const names = ['mx.good.example', 'mx.other.example', ...'abcdefghijkl'].map((name) =>
      name.length === 1 ? `mta-sts.${name}.example` : name,
    )
    const altNames = names.slice(2).map((value) => ({ type: 2 as const, value }))
    const [good, other] = await Promise.all(names.slice(0, 2).map(certificateOf))
    const made = await generate([{ name: 'commonName', value: 'policies' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions: [{ name: 'subjectAltName', altNames }],
    })
    const policies = { key: made.private, cert: made.cert }
    setDefaultCACertificates([
      ...getCACertificates('default'),
      ...[good, other, policies].map((each) => each!.cert),
    ])
    const stack = new AsyncDisposableStack()
    opened.push(stack)
    stack.use(await listenSmtp(GOOD, good))
    stack.use(await listenSmtp(MISNAMED, other))
    stack.use(await listenSmtp(PLAIN, undefined))
    stack.use(await listenPolicies(POLICY_HOST, policies))
    stack.use(await listenPolicies(PRIVATE_HOST, policies))
    assert.ok(await isFree(SILENT_HOST, 443))
  })
  after(async () => {
    for (const stack of opened) await stack.disposeAsync()
  })

  test('that enforces a policy is sent to by TLS whose certificate is verified', async () => {
    const domain = destination('mx.good.example', policyOf('enforce', '*.good.example'))
    const { policies } = policiesWith()
    assert.equal((await send(domain, policies)).is, 'sent')
    assert.ok(arrived.includes(`ann@${domain} TLS`))
    // A message after it asks for no file again.
    await send(domain, policies)
    assert.equal(fetched.filter((name) => name === `mta-sts.${domain}`).length, 1)
  })

  // biome-ignore format: a table
  const KEPT_BACK: [what: string, exchanger: string, pattern: string, reply: RegExp][] = [
    ['an exchanger the policy does not name',        'mx.good.example',     'mx.elsewhere.example', /^4\.7\.1 the policy of .* admits none/],
    ['an exchanger two labels below the pattern',    'mx.good.example',     '*.example',            /^4\.7\.1 the policy of .* admits none/],
    ['an exchanger with the certificate of another', 'mx.misnamed.example', '*.misnamed.example',   /altnames|certificate/i],
    ['an exchanger without TLS',                     'mx.plain.example',    '*.plain.example',      /^5\d\d|^4/],
  ]

  for (const [what, exchanger, pattern, reply] of KEPT_BACK) {
    test(`that enforces a policy gets nothing by ${what}`, async () => {
      const domain = destination(exchanger, policyOf('enforce', pattern))
      const result = await send(domain, policiesWith().policies)
      assert.equal(result.is, 'deferred', result.reply)
      assert.match(result.reply, reply)
      assert.ok(!arrived.some((line) => line.includes(domain)))
    })
  }

  // biome-ignore format: a table
  const OPPORTUNISTIC: [what: string, policy: string, host: string][] = [
    ['that only tests its policy',          policyOf('testing', 'mx.elsewhere.example'), POLICY_HOST],
    ['that has taken its policy back',      policyOf('none', 'mx.elsewhere.example'),    POLICY_HOST],
    ['whose file is no policy',             '<html>Welcome</html>',                      POLICY_HOST],
    ['whose file is as large as a film',    `version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\n${'mx: mx.elsewhere.example\r\n'.repeat(1e6)}`, POLICY_HOST],
    ['whose policy host nobody answers at', policyOf('enforce', 'mx.elsewhere.example'), SILENT_HOST],
    ['whose policy host is inside our network', policyOf('enforce', 'mx.elsewhere.example'), PRIVATE_HOST],
  ]

  for (const [what, policy, host] of OPPORTUNISTIC) {
    test(`${what} is sent to by whatever TLS there is`, async () => {
      const domain = destination('mx.misnamed.example', policy, host)
      const { policies } = policiesWith()
      assert.equal((await send(domain, policies)).is, 'sent')
      assert.ok(arrived.includes(`ann@${domain} TLS`))
      assert.equal(fetched.includes(`mta-sts.${domain}`), host === POLICY_HOST)
    })
  }

  test('whose policy was seen once keeps it, though somebody hides it, and over a restart', async () => {
    const domain = destination('mx.good.example', policyOf('enforce', '*.good.example'))
    const { kept, policies, later } = policiesWith()
    assert.equal((await send(domain, policies)).is, 'sent')
    dns.delete(`TXT _mta-sts.${domain}`)
    dns.set(`MX ${domain}`, '10 mx.misnamed.example.')
    later()
    assert.equal((await send(domain, policies)).is, 'deferred')
    assert.equal((await send(domain, policiesWith(kept).policies)).is, 'deferred')
    assert.equal(
      (await send(domain, policiesWith().policies)).is,
      'sent',
      'where nobody has seen it',
    )
  })
})
