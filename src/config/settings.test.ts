import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { parseTsigKey } from '#dns/tsig.ts'
import { ConfigError, explainConfig, readConfig, SETTINGS } from './settings.ts'

type Env = Readonly<Record<string, string>>

const KEY = 'a'.repeat(43).concat('=')
const TSIG_SECRET = Buffer.alloc(32, 'k').toString('base64')
const API_KEY = 'ms_test_000000000000000000000000000000070300eU9S'

test('every setting has a default that can be read, a unit and a sentence', () => {
  const names = Object.values(SETTINGS).map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  for (const { name, unit, sentence } of Object.values(SETTINGS)) {
    assert.match(name, /^(MAILSTEAD_[A-Z_]+|DATABASE_URL)$/)
    assert.ok(unit.length > 0, name)
    assert.match(sentence, /^[A-Z].*\.$/, name)
  }
  const config = readConfig({})
  assert.deepEqual(Object.keys(config), Object.keys(SETTINGS))
})

test('without settings, everything runs and listens on loopback only', () => {
  const { roles, httpListen, dnsListen, smtpListen, laboratory } = readConfig({})
  assert.deepEqual(roles, ['api', 'worker', 'dns', 'smtp', 'redirect'])
  for (const { address } of [httpListen, ...dnsListen, ...smtpListen])
    assert.equal(address, '127.0.0.1')
  assert.equal(laboratory, false)
})

test('an empty setting is one that is not there', () => {
  const env = Object.fromEntries(Object.values(SETTINGS).map(({ name }) => [name, '']))
  assert.deepEqual(readConfig(env), readConfig({}))
})

test('settings of others are not looked at', () => {
  assert.deepEqual(readConfig({ PATH: '/bin', MAILSTEAD_UNHEARD_OF: 'x' }), readConfig({}))
})

// biome-ignore format: a table
const READ: [name: string, written: string, key: keyof typeof SETTINGS, expected: unknown][] = [
  ['DATABASE_URL',                      'postgres://h/d',               'databaseUrl',            'postgres://h/d'],
  ['MAILSTEAD_DATA_DIR',                'd',                            'dataDir',                resolve('d')],
  ['MAILSTEAD_ROLES',                   ' dns , api ',                  'roles',                  ['dns', 'api']],
  ['MAILSTEAD_HTTP_LISTEN',             '0.0.0.0',                      'httpListen',             { address: '0.0.0.0', port: 8080 }],
  ['MAILSTEAD_HTTP_LISTEN',             '[::1]:80',                     'httpListen',             { address: '::1', port: 80 }],
  ['MAILSTEAD_PUBLIC_URL',              'https://Mail.example:8443/',   'publicUrl',              'https://mail.example:8443'],
  ['MAILSTEAD_HTTP_HOSTS',              'a.test,,b.test',               'httpHosts',              ['a.test', 'b.test']],
  ['MAILSTEAD_DNS_LISTEN',              '192.0.2.1, [2001:db8::1]:5300', 'dnsListen',             [{ address: '192.0.2.1', port: 53 }, { address: '2001:db8::1', port: 5300 }]],
  ['MAILSTEAD_SMTP_LISTEN',             '192.0.2.1',                    'smtpListen',             [{ address: '192.0.2.1', port: 25 }]],
  ['MAILSTEAD_SUBMISSION_LISTEN',       '192.0.2.1',                    'submissionListen',       [{ address: '192.0.2.1', port: 587 }]],
  ['MAILSTEAD_SUBMISSIONS_LISTEN',      '192.0.2.1',                    'submissionsListen',      [{ address: '192.0.2.1', port: 465 }]],
  ['MAILSTEAD_IMAPS_LISTEN',            '192.0.2.1',                    'imapsListen',            [{ address: '192.0.2.1', port: 993 }]],
  ['MAILSTEAD_NAMESERVER_ZONE',         'NS.Acme.com.',                 'nameserverZone',         'ns.acme.com'],
  ['MAILSTEAD_NAMESERVER_ADDRESSES',    '192.0.2.1,2001:db8::1',        'nameserverAddresses',    ['192.0.2.1', '2001:db8::1']],
  ['MAILSTEAD_MAIL_HOST',               'MX.bücher.de',                 'mailHost',               'mx.xn--bcher-kva.de'],
  ['MAILSTEAD_TLS_CERT',                '/etc/mail.pem',                'tlsCert',                '/etc/mail.pem'],
  ['MAILSTEAD_TLS_KEY',                 '/etc/mail.key',                'tlsKey',                 '/etc/mail.key'],
  ['MAILSTEAD_MAIL_HOST_ADDRESSES',     '192.0.2.1',                    'mailHostAddresses',      ['192.0.2.1']],
  ['MAILSTEAD_SMTP_SOURCE_ADDRESSES',   '192.0.2.1',                    'smtpSourceAddresses',    ['192.0.2.1']],
  ['MAILSTEAD_SMARTHOST',               'smtp://relay.test',            'smarthost',              { host: 'relay.test', port: 587, secure: false, credentials: undefined }],
  ['MAILSTEAD_SMARTHOST',               'smtps://relay.test',           'smarthost',              { host: 'relay.test', port: 465, secure: true, credentials: undefined }],
  ['MAILSTEAD_SMARTHOST',               'smtp://k%40a:p%3Aw@relay.test:25', 'smarthost',          { host: 'relay.test', port: 25, secure: false, credentials: { user: 'k@a', password: 'p:w' } }],
  ['MAILSTEAD_REDIRECT_LISTEN',         '192.0.2.1',                    'redirectListen',         [{ address: '192.0.2.1', port: 80 }]],
  ['MAILSTEAD_REDIRECT_ADDRESSES',      '192.0.2.1,2001:db8::1',        'redirectAddresses',      ['192.0.2.1', '2001:db8::1']],
  ['MAILSTEAD_HEALTH_LISTEN',           '192.0.2.1',                    'healthListen',           [{ address: '192.0.2.1', port: 8081 }]],
  ['MAILSTEAD_ROOT_HINTS',              '192.0.2.1',                    'rootHints',              [{ address: '192.0.2.1', port: 53 }]],
  ['MAILSTEAD_RESOLVERS',               '192.0.2.1:5353',               'resolvers',              [{ address: '192.0.2.1', port: 5353 }]],
  ['MAILSTEAD_SECONDARIES',             '192.0.2.3, [2001:db8::3]:5353', 'secondaries',           [{ address: '192.0.2.3', port: 53 }, { address: '2001:db8::3', port: 5353 }]],
  ['MAILSTEAD_TRANSFER_KEYS',           `K.test:hmac-sha256:${TSIG_SECRET}`,    'transferKeys',           [parseTsigKey(`k.test:hmac-sha256:${TSIG_SECRET}`)]],
  ['MAILSTEAD_TRANSFER_KEYS',           `a.test.:hmac-sha384:${TSIG_SECRET}, b.test:hmac-sha512:${TSIG_SECRET}`, 'transferKeys', [parseTsigKey(`a.test:hmac-sha384:${TSIG_SECRET}`), parseTsigKey(`b.test:hmac-sha512:${TSIG_SECRET}`)]],
  ['MAILSTEAD_TRANSFER_ADDRESSES',      '192.0.2.3,2001:db8::3',        'transferAddresses',      ['192.0.2.3', '2001:db8::3']],
  ['MAILSTEAD_CATALOG_ZONE',            'Catalog.Acme.com.',            'catalogZone',            'catalog.acme.com'],
  ['MAILSTEAD_LABORATORY',              'true',                         'laboratory',             true],
  ['MAILSTEAD_BOOTSTRAP_KEY',           API_KEY,                        'bootstrapKey',           API_KEY],
  ['MAILSTEAD_BOOTSTRAP_KEY',           `ms_live_${'a'.repeat(32)}`,    'bootstrapKey',           `ms_live_${'a'.repeat(32)}`],
  ['MAILSTEAD_SECRET_KEY',              KEY,                            'secretKey',              Buffer.from(KEY, 'base64')],
  ['MAILSTEAD_ZONE_DRIVER',             'dns-1, dns-2',                 'zoneDriver',             ['dns-1', 'dns-2']],
  ['MAILSTEAD_RECEIVES_MAIL',           'false',                        'receivesMail',           false],
  ['MAILSTEAD_RATE_LIMIT_PER_MINUTE',   '0',                            'rateLimitPerMinute',     0],
  ['MAILSTEAD_SEND_LIMIT_PER_WORKSPACE', '2000',                          'sendLimitPerWorkspace',  2000],
  ['MAILSTEAD_SEND_LIMIT_PER_NEW_WORKSPACE', '50',                        'sendLimitPerNewWorkspace', 50],
  ['MAILSTEAD_NEW_WORKSPACE_DAYS',      '30',                           'newWorkspaceDays',       30],
  ['MAILSTEAD_MAIL_DAYS',               '365',                          'mailDays',               365],
  ['MAILSTEAD_ARCHIVED_MAIL_DAYS',      '30',                           'archivedMailDays',       30],
  ['MAILSTEAD_QUOTA_PER_INBOX_MB',      '100',                          'quotaPerInboxMb',        100],
  ['MAILSTEAD_QUOTA_PER_DOMAIN_MB',     '1000',                         'quotaPerDomainMb',       1000],
  ['MAILSTEAD_QUOTA_PER_WORKSPACE_MB',  '10000',                        'quotaPerWorkspaceMb',    10000],
  ['MAILSTEAD_LEAST_FREE_SPACE_MB',     '1024',                         'leastFreeSpaceMb',       1024],
  ['MAILSTEAD_SEND_LIMIT',              '100000',                       'sendLimit',              100_000],
  ['MAILSTEAD_RATE_LIMIT_PER_HOUR',     '100000',                       'rateLimitPerHour',       100_000],
  ['MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE', '0',            'workspaceRateLimitPerMinute', 0],
  ['MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE', '',             'workspaceRateLimitPerMinute', undefined],
  ['MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR', '100000',         'workspaceRateLimitPerHour', 100_000],
  ['MAILSTEAD_KEYS_PER_WORKSPACE',      '1',                            'keysPerWorkspace',       1],
  ['MAILSTEAD_WAIT_MS',                 '0',                            'handlerWaitMs',          0],
  ['MAILSTEAD_WAIT_MS',                 '30000',                        'handlerWaitMs',          30_000],
  ['MAILSTEAD_LOG_LEVEL',               'debug',                        'logLevel',               'debug'],
]

test('settings are read', () => {
  for (const [name, written, key, expected] of READ)
    assert.deepEqual(readConfig({ [name]: written })[key], expected, `${name}=${written}`)
})

// biome-ignore format: a table
const REFUSED: [name: string, values: string[]][] = [
  ['MAILSTEAD_ROLES',                    ['api,web', 'API', 'worker;dns']],
  ['MAILSTEAD_HTTP_LISTEN',              ['localhost:8080', '8080', ':8080', '127.0.0.1:65536', '127.0.0.1:1,127.0.0.1:2', ',', '::1:x']],
  ['MAILSTEAD_DNS_LISTEN',               ['ns.acme.com', '192.0.2.1 192.0.2.2', '192.0.2.256', '192.0.2.1:53:53', '[192.0.2.1']],
  ['MAILSTEAD_SMTP_LISTEN',              ['mx.acme.com:25', '192.0.2.1:smtp']],
  ['MAILSTEAD_SUBMISSION_LISTEN',        ['mx.acme.com:587', '192.0.2.1:smtp']],
  ['MAILSTEAD_SUBMISSIONS_LISTEN',       ['mx.acme.com:465', '192.0.2.1:smtp']],
  ['MAILSTEAD_NAMESERVER_ZONE',          ['ns', 'ns..acme.com', 'ns_1.acme.com', '192.0.2.1', 'co.uk', '*.acme.com', '.']],
  ['MAILSTEAD_NAMESERVER_ADDRESSES',     ['ns1.acme.com', '192.0.2.0/24']],
  ['MAILSTEAD_MAIL_HOST',                ['localhost', 'mx acme.com', 'mx.acme.com:25', 'smtp://mx.acme.com']],
  ['MAILSTEAD_MAIL_HOST_ADDRESSES',      ['mx.acme.com']],
  ['MAILSTEAD_SMTP_SOURCE_ADDRESSES',    ['eth0']],
  ['MAILSTEAD_SMARTHOST',                ['relay.test', 'relay.test:25', 'http://relay.test', '//relay.test', 'smtp://k:%zz@relay.test', 'smtp://k:p@relay.test:99999']],
  ['MAILSTEAD_REDIRECT_LISTEN',          ['www.acme.com:80', '80']],
  ['MAILSTEAD_REDIRECT_ADDRESSES',       ['www.acme.com', '192.0.2.1:80']],
  ['MAILSTEAD_HEALTH_LISTEN',            ['localhost:8081', '127.0.0.1:x']],
  ['MAILSTEAD_ROOT_HINTS',               ['a.root-servers.net']],
  ['MAILSTEAD_RESOLVERS',                ['https://dns.test/dns-query', 'one.one.one.one']],
  ['MAILSTEAD_SECONDARIES',              ['ns1.acme.com', '192.0.2.0/24']],
  ['MAILSTEAD_TRANSFER_KEYS',            ['secret', `k.test:${TSIG_SECRET}`, `k.test:hmac-md5:${TSIG_SECRET}`, 'k.test:hmac-sha256:c2hvcnQ=', `k.test:hmac-sha256:${TSIG_SECRET},k.test:hmac-sha512:${TSIG_SECRET}`, ['a', 'b', 'c'].map((name) => `${name}.test:hmac-sha256:${TSIG_SECRET}`).join()]],
  ['MAILSTEAD_TRANSFER_ADDRESSES',       ['ns1.acme.com', '192.0.2.0/24', '192.0.2.1:53']],
  ['MAILSTEAD_CATALOG_ZONE',             ['catalog', '192.0.2.1', `${'a.'.repeat(100)}acme.com`]],
  ['MAILSTEAD_LABORATORY',               ['yes', '1', 'True', 'TRUE', 'on', ' true']],
  ['MAILSTEAD_BOOTSTRAP_KEY',            ['secret', 'ms_live_short', `ms_prod_${'a'.repeat(40)}`, `ms_test_${'a'.repeat(31)}`, `ms_test_${'a'.repeat(39)}!`, `x ms_test_${'a'.repeat(40)}`]],
  ['MAILSTEAD_SECRET_KEY',               ['secret', 'a'.repeat(42), 'a'.repeat(64), 'c2hvcnQ=']],
  ['MAILSTEAD_ZONE_DRIVER',              ['Embedded', 'dns 1', ',', 'dns_1']],
  ['MAILSTEAD_SENDER_DRIVER',            ['Azure', ',']],
  ['MAILSTEAD_MAILBOX_DRIVER',           ['mail.example.net', ',']],
  ['MAILSTEAD_RECEIVES_MAIL',            ['yes', '0']],
  ['MAILSTEAD_PARENT_QUERIES_PER_SECOND', ['0', '10001', '1.5', 'many']],
  ['MAILSTEAD_DKIM_ROTATION_DAYS',       ['-1', 'never', '1.5']],
  ['MAILSTEAD_PENDING_CLAIMS_PER_NAME',  ['0', '-1', '1001']],
  ['MAILSTEAD_ADDS_PER_NAME_PER_HOUR',   ['0', 'NaN']],
  ['MAILSTEAD_RATE_LIMIT_PER_MINUTE',    ['-1', '1000001', 'off']],
  ['MAILSTEAD_SEND_LIMIT_PER_WORKSPACE',  ['-1', '100000001', 'all']],
  ['MAILSTEAD_SEND_LIMIT_PER_NEW_WORKSPACE', ['-1', '100000001', 'few']],
  ['MAILSTEAD_PUBLIC_URL', ['mail.example', 'http://mail.example', 'https://', 'https://mail.example/path', 'https://mail.example/?x', 'https://u:p@mail.example', 'https://mail.example/#x']],
  ['MAILSTEAD_NEW_WORKSPACE_DAYS',        ['0', '3651', '1.5', 'ever']],
  ['MAILSTEAD_MAIL_DAYS',                 ['-1', '36501', 'ever']],
  ['MAILSTEAD_ARCHIVED_MAIL_DAYS',        ['-1', '36501', 'ever']],
  ['MAILSTEAD_QUOTA_PER_INBOX_MB',        ['-1', '1.5', 'much']],
  ['MAILSTEAD_QUOTA_PER_DOMAIN_MB',       ['-1', '1.5', 'much']],
  ['MAILSTEAD_QUOTA_PER_WORKSPACE_MB',    ['-1', '1.5', 'much']],
  ['MAILSTEAD_LEAST_FREE_SPACE_MB',       ['-1', '1.5', 'much']],
  ['MAILSTEAD_SEND_LIMIT',                ['-1', '1000000001', '1k']],
  ['MAILSTEAD_RATE_LIMIT_PER_HOUR',      ['-1', '100000001', '1k']],
  ['MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE', ['-1', '10000001', 'off']],
  ['MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR', ['-1', '1000000001', '1k']],
  ['MAILSTEAD_KEYS_PER_WORKSPACE',       ['0', '-1', '100001', 'many']],
  ['MAILSTEAD_WAIT_MS',                  ['-1', '30001', '5s', '1.5', 'Infinity', '5,000']],
  ['MAILSTEAD_DNS_RATE_LIMIT',           ['-1', 'off', '1.5']],
  ['MAILSTEAD_DNS_SOCKETS',              ['udp', 'Auto']],
  ['MAILSTEAD_IMAPS_LISTEN',             ['mx.acme.com', '127.0.0.1:70000']],
  ['MAILSTEAD_LOG_LEVEL',                ['trace', 'INFO', 'silent']],
]

const messageOf = (env: Env): string => {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return assert.fail(`${JSON.stringify(env)} was taken`)
}

const SECRETS = new Set(
  explainConfig(Object.fromEntries(Object.values(SETTINGS).map(({ name }) => [name, 'x'])))
    .filter(({ value }) => value === '(hidden)')
    .map(({ name }) => name),
)

test('a bad value is refused by the name of its setting; the value is shown unless it is a secret', () => {
  for (const [name, values] of REFUSED) {
    for (const value of values) {
      const message = messageOf({ [name]: value })
      assert.match(message, new RegExp(`^${name}[ :].*\\S`), value)
      assert.equal(message.split('\n').length, 1)
      assert.equal(message.includes(`(it is ${JSON.stringify(value)})`), !SECRETS.has(name), value)
    }
  }
})

test('every setting but free text and paths refuses something', () => {
  const refused = new Set(REFUSED.map(([name]) => name))
  const free = [
    'DATABASE_URL',
    'MAILSTEAD_ACCOUNTS',
    'MAILSTEAD_DATA_DIR',
    'MAILSTEAD_HTTP_HOSTS',
    'MAILSTEAD_TLS_CERT',
    'MAILSTEAD_TLS_KEY',
  ]
  assert.deepEqual(
    Object.values(SETTINGS)
      .map(({ name }) => name)
      .filter((name) => !refused.has(name))
      .toSorted(),
    free,
  )
})

test('all that is wrong is said at once, a line each', () => {
  const env = { MAILSTEAD_WAIT_MS: 'x', MAILSTEAD_ROLES: 'y', MAILSTEAD_SECRET_KEY: 'z' }
  const lines = messageOf(env)
    .split('\n')
    .map((line) => line.split(/[ :]/)[0])
  assert.deepEqual(lines.toSorted(), Object.keys(env).toSorted())
})

describe('a secret', () => {
  test('is one of five settings', () => {
    assert.deepEqual([...SECRETS].toSorted(), [
      'DATABASE_URL',
      'MAILSTEAD_BOOTSTRAP_KEY',
      'MAILSTEAD_SECRET_KEY',
      'MAILSTEAD_SMARTHOST',
      'MAILSTEAD_TRANSFER_KEYS',
    ])
  })

  // biome-ignore format: a table
  const WRONG: Env[] = [
    { MAILSTEAD_BOOTSTRAP_KEY: 'HUSH' },
    { MAILSTEAD_BOOTSTRAP_KEY: 'ms_live_HUSH' },
    { MAILSTEAD_SECRET_KEY: 'HUSH' },
    { MAILSTEAD_SMARTHOST: 'HUSH' },
    { MAILSTEAD_TRANSFER_KEYS: 'HUSH' },
    { MAILSTEAD_TRANSFER_KEYS: 'k.test:hmac-sha256:HUSH' },
    { MAILSTEAD_TRANSFER_KEYS: 'HUSH:HUSH:HUSH' },
    { MAILSTEAD_SMARTHOST: 'http://kim:HUSH@relay.test' },
    { MAILSTEAD_SMARTHOST: 'smtp://kim:HUSH%zz@relay.test' },
    { MAILSTEAD_SMARTHOST: 'smtp://kim:HUSH@relay.test:99999' },
    { MAILSTEAD_SMARTHOST: 'smtp://kim:HUSH@' },
    { DATABASE_URL: 'postgres://kim:HUSH@db.test/x', MAILSTEAD_WAIT_MS: 'x' },
    { DATABASE_URL: 'postgres://kim:HUSH@db.test/x', MAILSTEAD_LABORATORY: 'true', MAILSTEAD_HTTP_LISTEN: '0.0.0.0' },
  ]

  test('is in no error', () => {
    for (const env of WRONG) assert.doesNotMatch(messageOf(env), /HUSH/, JSON.stringify(env))
  })

  test('is not explained', () => {
    for (const env of WRONG) assert.doesNotMatch(JSON.stringify(explainConfig(env)), /HUSH/)
  })
})

test('settings are explained with where they came from', () => {
  const explained = explainConfig({ MAILSTEAD_WAIT_MS: '7', MAILSTEAD_SECRET_KEY: KEY })
  const of = (wanted: string) => {
    const { origin, value } = explained.find(({ name }) => name === wanted)!
    return [origin, value]
  }
  assert.deepEqual(of('MAILSTEAD_WAIT_MS'), ['environment', '7'])
  assert.deepEqual(of('MAILSTEAD_ROLES'), ['default', 'api,worker,dns,smtp,redirect'])
  assert.deepEqual(of('MAILSTEAD_SECRET_KEY'), ['environment', '(hidden)'])
  assert.deepEqual(of('DATABASE_URL'), ['default', ''])
})

describe('a laboratory', () => {
  const LABORATORY = { MAILSTEAD_LABORATORY: 'true' }

  test('listens on loopback', () => {
    const env = {
      ...LABORATORY,
      MAILSTEAD_HTTP_LISTEN: '127.0.0.9:1',
      MAILSTEAD_DNS_LISTEN: '127.0.0.1:53,[::1]:53',
      MAILSTEAD_SMTP_LISTEN: '127.255.255.255:25',
    }
    assert.equal(readConfig(env).laboratory, true)
  })

  const PUBLIC = [
    '0.0.0.0',
    '[::]',
    '192.0.2.1',
    '8.8.8.8',
    '[2001:db8::1]',
    '128.0.0.1',
    '1.127.0.0',
  ]

  const LISTENERS = [
    'MAILSTEAD_HTTP_LISTEN',
    'MAILSTEAD_DNS_LISTEN',
    'MAILSTEAD_SMTP_LISTEN',
    'MAILSTEAD_SUBMISSION_LISTEN',
    'MAILSTEAD_SUBMISSIONS_LISTEN',
    'MAILSTEAD_REDIRECT_LISTEN',
  ]
  for (const name of LISTENERS) {
    test(`refuses to listen in public at ${name}`, () => {
      for (const address of PUBLIC) {
        assert.match(messageOf({ ...LABORATORY, [name]: `${address}:1` }), /must not listen at/)
        assert.ok(readConfig({ [name]: `${address}:1` }))
      }
    })
  }

  test('refuses one public listener among several', () => {
    const env = { ...LABORATORY, MAILSTEAD_DNS_LISTEN: '127.0.0.1:1,127.0.0.1:2,192.0.2.1:3' }
    assert.match(messageOf(env), /192\.0\.2\.1/)
  })
})

/** What would be ignored in part, or could not be used. */
// biome-ignore format: a table
const MISREAD: [name: string, value: string][] = [
  ['MAILSTEAD_WAIT_MS',               '0x10'],
  ['MAILSTEAD_WAIT_MS',               '1e3'],
  ['MAILSTEAD_NAMESERVER_ADDRESSES',  '192.0.2.1:53'],
  ['MAILSTEAD_SECRET_KEY',            KEY.replace('a', '!a')],
  ['MAILSTEAD_SECRET_KEY',            KEY + KEY],
  ['MAILSTEAD_SMARTHOST',             'smtp:relay'],
  ['MAILSTEAD_SMARTHOST',             'smtp://relay.test/a?b'],
  ['MAILSTEAD_ROLES',                 ','],
]

for (const [name, value] of MISREAD)
  test(`${name} refuses ${value}`, () => assert.ok(messageOf({ [name]: value })))
