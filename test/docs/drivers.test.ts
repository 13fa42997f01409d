/**
 * docs/drivers says what the drivers do: its tables are made of the suites and the excuses, its settings
 * are those of the code, and its examples are accounts. WRITE=1 in the environment writes the tables.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { SETTINGS } from '#config/settings.ts'
import { excuses as dovecot } from '#drivers/mailbox/dovecot/excuses.ts'
import { excuses as embeddedMailbox } from '#drivers/mailbox/embedded/excuses.ts'
import { excuses as mailcow } from '#drivers/mailbox/mailcow/excuses.ts'
import { MAILBOX_SERVICES, SENDERS, ZONE_HOSTS } from '#drivers/registry.ts'
import { excuses as azure } from '#drivers/sender/azure/excuses.ts'
import { excuses as embeddedSender } from '#drivers/sender/embedded/excuses.ts'
import { excuses as cloudflare } from '#drivers/zone/cloudflare/excuses.ts'
import { excuses as embeddedZone } from '#drivers/zone/embedded/excuses.ts'
import { excuses as powerdns } from '#drivers/zone/powerdns/excuses.ts'

const OVERVIEW = 'docs/drivers/README.md'

/** Of each contract the drivers in the order of their columns, with what they are excused from. */
const EXCUSES: Record<string, Record<string, Partial<Record<string, string>>>> = {
  zone: { embedded: embeddedZone, powerdns, cloudflare },
  sender: { embedded: embeddedSender, azure },
  mailbox: { embedded: embeddedMailbox, dovecot, mailcow },
}

/** Every driver of an outside service, with the shape of its account. */
const KINDS = Object.entries({ ...ZONE_HOSTS, ...SENDERS, ...MAILBOX_SERVICES }).map(
  ([name, { settings }]) => ({ name, settings: z.instanceof(z.ZodObject).parse(settings) }),
)

const pageOf = (name: string): string => readFileSync(`docs/drivers/${name}.md`, 'utf8')

/**
 * The sentences of a suite, in its order. Read as text: the suites export what runs them and the type of
 * the names, and to import the names themselves they would have to export what nobody else needs.
 */
function sentencesOf(contract: string): string[] {
  const text = readFileSync(`src/drivers/${contract}/conformance.ts`, 'utf8')
  const keysIn = (name: string, end: string): string[] => {
    const [, body = ''] = text.split(`const ${name} = {\n`)
    return [...body.split(end)[0]!.matchAll(/^ {2}'([^'\\]+)':/gm)].map(([, key]) => key!)
  }
  const held = keysIn('HELD', '\n} as const').map((what) => `${what} is read back unchanged`)
  return [...keysIn('CHECKS', '\n} satisfies'), ...held]
}

/** A row for each sentence; reasons are numbered, and each stands below the table once. */
function tableOf(contract: string): string {
  const drivers = Object.entries(EXCUSES[contract]!)
  const reasons: string[] = []
  const cell = (reason: string | undefined): string => {
    if (reason === undefined) return 'yes'
    if (!reasons.includes(reason)) reasons.push(reason)
    return `(${reasons.indexOf(reason) + 1})`
  }
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rows = sentencesOf(contract).map((sentence) =>
    row([sentence, ...drivers.map(([, excuses]) => cell(excuses[sentence]))]),
  )
  return [
    row([`The contract of a ${contract} driver`, ...drivers.map(([name]) => name)]),
    row(['---', ...drivers.map(() => '---')]),
    ...rows,
    '',
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
  ].join('\n')
}

const GENERATED = /(?<=<!-- generated: (\w+) -->\n).*?(?=\n<!-- end -->)/gs

test('the tables are what the suites and the excuses say', () => {
  const page = readFileSync(OVERVIEW, 'utf8')
  const marked = [...page.matchAll(GENERATED)].map(([, contract]) => contract)
  assert.deepEqual(marked, Object.keys(EXCUSES))
  const made = page.replace(GENERATED, (_, contract: string) => tableOf(contract))
  if (process.env.WRITE === '1') writeFileSync(OVERVIEW, made)
  else assert.equal(page, made, 'run this test with WRITE=1')
})

test('every sentence of a suite was found, and every excuse is from one', () => {
  for (const [contract, drivers] of Object.entries(EXCUSES)) {
    const sentences = sentencesOf(contract)
    assert.ok(sentences.length > 20, contract)
    assert.equal(new Set(sentences).size, sentences.length, contract)
    for (const [name, excuses] of Object.entries(drivers)) {
      for (const excused of Object.keys(excuses)) {
        assert.ok(sentences.includes(excused), `${name}: ${excused}`)
      }
    }
  }
})

test('every folder of a driver has a column, and a page where it is of an outside service', () => {
  for (const [contract, drivers] of Object.entries(EXCUSES)) {
    const folders = globSync(`src/drivers/${contract}/*/driver.ts`).map((file) =>
      basename(dirname(file)),
    )
    assert.deepEqual(folders.toSorted(), Object.keys(drivers).toSorted())
  }
  const outside = globSync('src/drivers/*/*/driver.ts').map((file) => basename(dirname(file)))
  const pages = KINDS.map(({ name }) => name)
  assert.deepEqual([...new Set(outside)].toSorted(), ['embedded', 'dovecot', ...pages].toSorted())
  for (const name of pages) assert.match(pageOf(name), /^# /)
})

/** What stands in the column of defaults. */
function fallbackOf(setting: z.ZodType): string {
  const { success, data } = setting.safeParse(undefined)
  if (!success) return 'needed'
  return data === undefined ? 'none' : `\`${data}\``
}

for (const { name, settings } of KINDS) {
  test(`every setting of an account of ${name} has one row, with its default`, () => {
    const [, section = ''] = pageOf(name).split('## The account\n')
    const rows = [...section.split('\n## ')[0]!.matchAll(/^\| `(\w+)` \| (.+?) \| .+\. \|$/gm)]
    const built = Object.entries(settings.shape).map(([key, setting]) => [
      key,
      fallbackOf(z.instanceof(z.ZodType).parse(setting)),
    ])
    assert.deepEqual(
      rows.map(([, key, fallback]) => [key, fallback]),
      built,
    )
  })
}

/** What an account says beside the settings of its driver; see src/runtime/accounts.ts. */
type Written = { driver?: string; world?: string; sandbox?: object }

test('every example is an account that its driver takes, and each driver has one', () => {
  const shown = new Set<string>()
  for (const page of globSync('docs/drivers/*.md')) {
    for (const [, json] of readFileSync(page, 'utf8').matchAll(/^```json\n(.*?)^```$/gms)) {
      for (const [account, written] of Object.entries<Written>(JSON.parse(json!))) {
        const { driver, world, sandbox, ...own } = written
        const kind = KINDS.find(({ name }) => name === driver)
        assert.ok(kind, `${page}: ${account}`)
        assert.equal(kind.settings.safeParse(own).error?.message, undefined, `${page}: ${account}`)
        shown.add(kind.name)
      }
    }
  }
  assert.deepEqual([...shown].toSorted(), KINDS.map(({ name }) => name).toSorted())
})

test('every setting of the environment that the pages name is one', () => {
  const known: readonly string[] = Object.values(SETTINGS).map((setting) => setting.name)
  for (const page of globSync('docs/drivers/*.md')) {
    for (const [name] of readFileSync(page, 'utf8').matchAll(/\bMAILSTEAD_[A-Z_]+\b/g)) {
      assert.ok(known.includes(name), `${page}: ${name}`)
    }
  }
})

test('every kind of error has its row, and no other has', () => {
  const [, union = ''] =
    /DriverErrorKind =((?:\s*\| '\w+')+)/.exec(readFileSync('src/drivers/errors.ts', 'utf8')) ?? []
  const kinds = [...union.matchAll(/'(\w+)'/g)].map(([, kind]) => kind)
  const rows = [...pageOf('writing-a-driver').matchAll(/^\| `(\w+)` \| .+\. \| .+\. \|$/gm)]
  assert.deepEqual(
    rows.map(([, kind]) => kind),
    kinds,
  )
})
