/**
 * Who may import whom. Each row is as narrow as the code allows today; a wider one is a decision, and
 * is made here in plain sight.
 */
import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

/** `uses` at run time; `types` are erased before the code runs. `names/*` is everything below names/. */
type Row = { uses: readonly string[]; types?: readonly string[] }

const CONTRACTS = [
  'drivers/zone/contract.ts',
  'drivers/sender/contract.ts',
  'drivers/mailbox/contract.ts',
]
const EMBEDDED = 'drivers/sender/embedded'

/** From the inside out. Every folder of src/ has a row; a layer may always import itself. */
const LAYERS: Record<string, Row> = {
  names: { uses: [] },
  dns: { uses: ['names/*'] },
  policy: { uses: ['names/*'] },
  engine: { uses: ['clock.ts'] },
  /** The closed list of what customers are told. */
  events: { uses: [] },
  resolver: { uses: ['dns/*', 'names/*'], types: ['clock.ts'] },
  mail: {
    uses: ['clock.ts', 'batched.ts', 'ids.ts', 'dns/*', 'names/*', 'resolver/resolver.ts'],
    types: ['engine/worker.ts'],
  },
  drivers: {
    uses: ['dns/*', 'names/*', 'policy/*', 'mail/outgoing/*', 'resolver/resolver.ts', 'turns.ts'],
  },
  domains: {
    uses: [
      'clock.ts',
      'events/*',
      'dns/*',
      'names/*',
      'policy/*',
      'resolver/*',
      'mail/incoming/recipient.ts',
      'mail/outgoing/bounce-address.ts',
      'mail/outgoing/compose.ts',
      'drivers/errors.ts',
      'drivers/zone/contract.ts',
      'drivers/zone/effective-changes.ts',
    ],
    types: [...CONTRACTS, 'drivers/records.ts', 'engine/worker.ts'],
  },
  servers: {
    // The clock: a thread cannot be handed one. The log of zones is files.
    uses: [
      'clock.ts',
      'dns/*',
      'files.ts',
      'mail/incoming/too-busy.ts',
      'names/*',
      'policy/*',
      'resolver/resolver.ts',
    ],
    types: ['drivers/zone/contract.ts', 'mail/incoming/*', 'mail/submission/*'],
  },
  store: {
    uses: [
      'clock.ts',
      'files.ts',
      'batched.ts',
      'ids.ts',
      'turns.ts',
      'dns/*',
      'names/*',
      'drivers/errors.ts',
      'engine/due-rows.ts',
      'mail/content.ts',
      'mail/incoming/results.ts',
      'migrations/*',
      // Pure rules that a transaction asks about the rows that it has locked.
      'domains/claims.ts',
      'domains/redirect-chain.ts',
      'domains/sending.ts',
      'mail/outgoing/breaker.ts',
      'mail/outgoing/gate.ts',
      'mail/outgoing/unsubscribe.ts',
      'mail/reports/dead-address.ts',
      'domains/inbox-requests.ts',
      // What the rows of a domain mean: its conditions now, and what a pass will write.
      'domains/conditions.ts',
      'domains/lifecycle.ts',
      'domains/recorder.ts',
    ],
    types: [
      ...CONTRACTS,
      'domains/*',
      'events/*',
      'drivers/kind.ts',
      'drivers/records.ts',
      'drivers/zone/embedded/driver.ts',
      'drivers/mailbox/embedded/driver.ts',
      `${EMBEDDED}/*`,
      'engine/doorbell.ts',
      'mail/*',
      'servers/dns/transfer/source.ts',
      'servers/dns/zone.ts',
    ],
  },
  api: {
    uses: [
      'clock.ts',
      'ids.ts',
      'dns/*',
      'names/*',
      'domains/coexist.ts',
      'domains/desired-records.ts',
      'domains/dmarc-ladder.ts',
      'domains/import-file.ts',
      'domains/lifecycle.ts',
      'domains/removal-plan.ts',
      'domains/waits.ts',
      'domains/sending.ts',
      'drivers/errors.ts',
      'drivers/zone/contract.ts',
      'events/*',
      'mail/incoming/clean.ts',
      'mail/incoming/kind.ts',
      'mail/outgoing/compose.ts',
      'mail/outgoing/gate.ts',
      'mail/outgoing/unsubscribe.ts',
      'mail/words.ts',
      'policy/dmarc.ts',
      'store/*',
    ],
    types: [
      'domains/claims.ts',
      'domains/customer-records.ts',
      'domains/types.ts',
      'drivers/mailbox/contract.ts',
      'drivers/sender/contract.ts',
      'mail/*',
    ],
  },
  config: { uses: ['dns/*', 'names/*'] },
  /** The embedded server under our supervisor. */
  postgres: { uses: ['clock.ts', 'files.ts'] },
  /** The IMAP server under the same supervisor. */
  dovecot: { uses: ['files.ts', 'postgres/*'], types: ['names/ip.ts'] },
  cli: { uses: ['config/*', 'store/api-keys.ts'] },
  /** The composition root puts all of them together, so it may see all of them. */
  runtime: { uses: ['*'] },
  /** A plug-in of the runtime: it is given the product's parts, and adds a world and routes. */
  sandbox: { uses: ['*'] },
}

/** The files at the top of src/. */
const TOP: Record<string, Row> = {
  'clock.ts': { uses: [] },
  'files.ts': { uses: [] },
  'batched.ts': { uses: [] },
  'ids.ts': { uses: [] },
  'turns.ts': { uses: [] },
  'world.ts': { uses: [], types: ['clock.ts', 'domains/claims.ts', 'resolver/*'] },
  'main.ts': { uses: ['config/settings.ts', 'runtime/start.ts'] },
}

/** Whose business a package is. */
const PACKAGES: Record<string, readonly string[]> = {
  'dns-packet': ['servers/dns/dig.ts'],
  'html-to-text': ['mail/incoming/text.ts'],
  fastify: ['api/*', 'sandbox/api/*'],
  'fastify-type-provider-zod': ['api/http/http.ts'],
  imapflow: ['mail/elsewhere/*'],
  koffi: ['servers/dns/threads/batched-socket.ts'],
  kysely: ['store/*', 'engine/*', 'sandbox/rows.ts'],
  mailauth: ['mail/outgoing/tls-policies.ts', 'mail/incoming/authenticate.ts'],
  nodemailer: ['mail/elsewhere/*', 'mail/outgoing/*', 'dovecot/deliver.ts'],
  pg: ['store/*', 'engine/doorbell.ts', 'postgres/*', 'runtime/context.ts'],
  pino: ['api/*', 'runtime/*', 'main.ts'],
  'postal-mime': ['mail/*', 'sandbox/api/mail.ts'],
  selfsigned: ['runtime/data-directory.ts'],
  'fast-xml-parser': ['mail/reports/aggregate.ts'],
  fflate: ['mail/reports/aggregate.ts'],
  'sanitize-html': ['mail/incoming/safe-html.ts'],
  'smtp-server': ['servers/smtp/*'],
  tldts: ['names/*'],
  zod: ['api/*', 'drivers/*', 'events/*', 'runtime/accounts.ts', 'sandbox/api/*'],
}

/** Layers written `../store/…` instead of `#store/…` here and there. */
const SPELLED_RELATIVE: readonly (readonly [from: string, to: string])[] = []

const LINES = 400

/** Who reads the environment beside config/settings.ts, and for what. */
const READS_ENVIRONMENT: Record<string, string> = {
  'config/settings.ts': 'the settings',
  'main.ts': 'hands it to config/settings.ts, with --role',
  'cli/admin-client.ts': 'hands it to config/settings.ts',
  'cli/show-config.ts': 'hands it to config/settings.ts',
  'dovecot/dovecot.ts': 'PATH, to find the program',
  'postgres/account.ts': 'PATH, for the child process and nothing else of ours',
}

/** Who reads the system's clock beside clock.ts, and for what. Everyone else is handed the time. */
const READS_CLOCK: readonly string[] = [
  'clock.ts',
  'ids.ts', // The time in a UUIDv7.
  'runtime/*', // Hands it on.
  'store/*', // Times of rows, where the database's own are not used.
  'api/*', // When something was asked.
  'sandbox/parent.ts', // When a registry publishes.
  'sandbox/api/*', // When something was asked.
  'mail/incoming/trace.ts', // When a message came in.
]

type Import = { file: string; written: string; target: string; isType: boolean }

const FILES = globSync('src/**/*.ts').map((file) => file.replaceAll('\\', '/'))
/** Tests, and the suites that drivers are held to, see more than the code they examine. */
const SOURCES = FILES.filter((file) => !/(\.test|\/conformance)\.ts$/.test(file))

const layerOf = (file: string): string => file.split('/').slice(1, -1)[0] ?? ''
const isAmong = (target: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) =>
    pattern.endsWith('*') ? target.startsWith(pattern.slice(0, -1)) : target === pattern,
  )

/** What a file imports: of our own as a path below src/, of others as the name of the package. */
function importsOf(file: string): Import[] {
  const statement =
    /^(?:import|export)\s+(type\s+)?(\{[^}]*\}|\*\s+as\s+\w+|\w+)?\s*(?:from\s+)?'([^']+)'/gm
  return [...readFileSync(file, 'utf8').matchAll(statement)].map(
    ([, type, what = '', written]) => ({
      file,
      written: written!,
      target: targetOf(file, written!),
      isType: type !== undefined || isOnlyTypes(what),
    }),
  )
}

function targetOf(file: string, written: string): string {
  if (written.startsWith('#')) return written.slice(1)
  if (written.startsWith('.')) return normalize(join(dirname(file), written)).replace(/^src\//, '')
  return written.split('/', written.startsWith('@') ? 2 : 1).join('/')
}

function isOnlyTypes(what: string): boolean {
  const names = what
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  return what.startsWith('{') && names.every((name) => name.startsWith('type '))
}

const isOurs = ({ written }: Import): boolean => /^[#.]/.test(written)

function assertAllowed(found: Import, { uses, types = [] }: Row): void {
  const { file, written, target, isType } = found
  const allowed = isType ? [...uses, ...types] : uses
  const how = isType ? 'as a type' : 'at run time'
  assert.ok(isAmong(target, allowed), `${file} imports ${written} ${how}`)
}

test('every folder and every file at the top of src/ has its row', () => {
  const entries = readdirSync('src', { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const files = SOURCES.filter((file) => layerOf(file) === '').map((file) => file.slice(4))
  assert.deepEqual(folders.toSorted(), Object.keys(LAYERS).toSorted())
  assert.deepEqual(files.toSorted(), Object.keys(TOP).toSorted())
})

for (const [layer, row] of Object.entries(LAYERS)) {
  test(`src/${layer}/ imports only what it may`, () => {
    for (const file of SOURCES.filter((each) => layerOf(each) === layer)) {
      for (const found of importsOf(file).filter(isOurs)) {
        if (!found.target.startsWith(`${layer}/`)) assertAllowed(found, row)
      }
    }
  })
}

for (const [name, row] of Object.entries(TOP)) {
  test(`src/${name} imports only what it may`, () => {
    for (const found of importsOf(`src/${name}`).filter(isOurs)) assertAllowed(found, row)
  })
}

test('one line of the product names the sandbox', () => {
  const named = SOURCES.filter((file) => layerOf(file) !== 'sandbox')
    .flatMap(importsOf)
    .filter(({ target }) => target.startsWith('sandbox/'))
  assert.deepEqual(
    named.map(({ file, target }) => [file, target]),
    [['src/runtime/start.ts', 'sandbox/sandbox.ts']],
  )
})

test('across layers an import is written #layer/file.ts, within one ./file.ts', () => {
  for (const found of SOURCES.flatMap(importsOf).filter(isOurs)) {
    const { file, written, target } = found
    const [from, to] = [layerOf(file), layerOf(`src/${target}`)]
    if (to === '' || to === 'migrations') continue // The top of src/ and the migrations: by path.
    const isExcused = SPELLED_RELATIVE.some((pair) => pair[0] === from && pair[1] === to)
    if (from === to) assert.match(written, /^\./, `${file} imports ${written}`)
    else if (!isExcused) assert.match(written, /^#/, `${file} imports ${written}`)
  }
})

test('no file needs itself, by whatever detour', () => {
  const needs = new Map(SOURCES.map((file) => [file, importsOf(file).filter(isOurs)]))
  const clear = new Set<string>()
  function walk(file: string, path: readonly string[]): void {
    assert.ok(!path.includes(file), [...path, file].join(' needs '))
    if (clear.has(file)) return
    for (const { target } of needs.get(file) ?? []) walk(`src/${target}`, [...path, file])
    clear.add(file)
  }
  for (const file of SOURCES) walk(file, [])
})

test('a package is imported only where it has business', () => {
  for (const found of SOURCES.flatMap(importsOf).filter((each) => !isOurs(each))) {
    const { file, written, target } = found
    if (written.startsWith('node:')) continue
    const places = PACKAGES[target] ?? []
    assert.ok(isAmong(file.replace(/^src\//, ''), places), `${file} imports ${written}`)
  }
})

test(`no file is longer than ${LINES} lines`, () => {
  // The lines of a test file are its table of sentences.
  for (const file of [...SOURCES, ...globSync('migrations/*.ts')]) {
    const lines = readFileSync(file, 'utf8').split('\n').length - 1
    assert.ok(lines <= LINES, `${file} has ${lines} lines`)
  }
})

test('the environment is read by the settings, and handed to them', () => {
  for (const file of SOURCES.filter((each) => /process\.env/.test(readFileSync(each, 'utf8')))) {
    const name = file.replace(/^src\//, '')
    assert.ok(name in READS_ENVIRONMENT, `${file} reads the environment`)
  }
})

test('the time of day is handed in, except where it is noted', () => {
  for (const file of SOURCES) {
    const name = file.replace(/^src\//, '')
    if (isAmong(name, READS_CLOCK)) continue
    assert.doesNotMatch(readFileSync(file, 'utf8'), /Date\.now\(|new Date\(\)/, file)
  }
})

test('ARCHITECTURE.md names every folder of src/, and no file or folder that is not there', () => {
  const page = readFileSync('ARCHITECTURE.md', 'utf8')
  for (const layer of Object.keys(LAYERS)) assert.ok(page.includes(`src/${layer}/`), layer)
  for (const [, path] of page.matchAll(/`((?:src|test|docs|migrations|demo|bench)\/[\w./-]*)`/g)) {
    assert.ok(globSync(path!.replace(/\/$/, '')).length > 0, `${path} is not there`)
  }
})
