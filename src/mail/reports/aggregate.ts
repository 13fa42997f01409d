/**
 * Reads DMARC aggregate reports (RFC 9990). Runs in a worker: strangers send them, and a small archive may unpack to
 * a very large document.
 */

import { isIP } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { XMLParser } from 'fast-xml-parser'
import { unzipSync } from 'fflate'
import type { Attachment } from 'postal-mime'
import { parseDomainName } from '#names/domain-name.ts'
import { decodedContent, type StoredContent } from '../content.ts'
import { cleanText } from '../incoming/clean.ts'
import { firstLines, parsed } from '../incoming/parsed.ts'

export type AggregateReport = {
  /** The reporter as it names itself, and its id of the report. */
  reporter: string
  reportId: string
  /** The domain that the report is about, in lower case, without a trailing dot. */
  domain: string
  begins: Date
  ends: Date
  rows: readonly AggregateRow[]
}

/** Messages of one source that were treated alike. */
export type AggregateRow = {
  sourceIp: string
  messages: number
  disposition: 'none' | 'quarantine' | 'reject'
  /** Whether DKIM, and SPF, passed for an aligned domain. */
  dkim: boolean
  spf: boolean
  headerFrom: string
  envelopeFrom: string
}

const MESSAGE = { lines: 200_000, octets: 12 * 1024 * 1024 }
const ATTACHMENTS = 5
const XML_OCTETS = 10 * 1024 * 1024
const ROWS = 10_000
const NAME_LENGTH = 255
/** A report is of a day; some reporters gather a week. */
const LONGEST_MS = 32 * 86_400_000
const MOST_MESSAGES = 2 ** 31 - 1

/** The report in a stored message; undefined where there is none that can be read. */
export async function aggregateReportIn(
  content: Omit<StoredContent, 'octets'>,
): Promise<AggregateReport | undefined> {
  const mail = await parsed(firstLines(decodedContent(content), MESSAGE))
  for (const attachment of mail?.attachments.slice(0, ATTACHMENTS) ?? []) {
    const report = reportOf(attachment)
    if (report) return report
  }
  return undefined
}

function reportOf({ content }: Attachment): AggregateReport | undefined {
  const octets = typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content)
  try {
    const xml = unpacked(octets)
    return xml && readAggregate(textOf(xml))
  } catch {
    // Archives and documents of strangers break in any way.
    return undefined
  }
}

/** RFC 9990 section 3.1.2 asks for gzip; zip and plain documents are as frequent. The content decides, not its name. */
function unpacked(octets: Uint8Array): Uint8Array | undefined {
  if (octets[0] === 0x1f && octets[1] === 0x8b)
    return gunzipSync(octets, { maxOutputLength: XML_OCTETS })
  if (octets[0] === 0x50 && octets[1] === 0x4b) return firstOfZip(octets)
  return octets.byteLength > XML_OCTETS ? undefined : octets
}

function firstOfZip(octets: Uint8Array): Uint8Array | undefined {
  let isFirst = true
  const files = unzipSync(octets, {
    filter: ({ originalSize }) => {
      const isWanted = isFirst && originalSize <= XML_OCTETS
      isFirst = false
      return isWanted
    },
  })
  return Object.values(files)[0]
}

/** In the encoding of its byte order mark, or of its declaration; UTF-8 otherwise. */
function textOf(xml: Uint8Array): string {
  const start = Buffer.from(xml.subarray(0, 200)).toString('latin1')
  const marked = start.startsWith('\xff\xfe')
    ? 'utf-16le'
    : start.startsWith('\xfe\xff')
      ? 'utf-16be'
      : undefined
  const declared = /^[^>]*\bencoding\s*=\s*["']([\w.:-]{1,40})["']/.exec(start)?.[1]
  try {
    return new TextDecoder(marked ?? declared ?? 'utf-8').decode(xml)
  } catch {
    return new TextDecoder().decode(xml)
  }
}

const PARSER = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  processEntities: false,
  isArray: (name) => name === 'record',
})

/** Undefined for what is no report, or says what cannot be. */
export function readAggregate(xml: string): AggregateReport | undefined {
  // A report needs no document type; its entities could grow without end.
  if (/<!DOCTYPE/i.test(xml)) return undefined
  // Some reporters open it, and close it nowhere.
  const document = xml.replace(/<\/?xs:schema\b[^>]{0,2000}>/gi, '')
  const feedback = objectIn(PARSER.parse(document), 'feedback')
  const metadata = objectIn(feedback, 'report_metadata')
  const range = objectIn(metadata, 'date_range')
  const domain = parseDomainName(textIn(objectIn(feedback, 'policy_published'), 'domain'))
  const [begins, ends] = [secondsIn(range, 'begin'), secondsIn(range, 'end')]
  const reportId = textIn(metadata, 'report_id')
  if ('refusal' in domain || !begins || !ends || reportId === '') return undefined
  const ms = ends.getTime() - begins.getTime()
  if (ms < 0 || ms > LONGEST_MS) return undefined
  const records = feedback.record
  return {
    reporter: textIn(metadata, 'org_name'),
    reportId,
    domain: domain.name,
    begins,
    ends,
    rows: (Array.isArray(records) ? records : []).slice(0, ROWS).flatMap(rowOf),
  }
}

/** Empty for a record that says what cannot be: the others count. */
function rowOf(record: unknown): AggregateRow[] {
  const row = objectIn({ record }, 'record')
  const counted = objectIn(row, 'row')
  const evaluated = objectIn(counted, 'policy_evaluated')
  const identifiers = objectIn(row, 'identifiers')
  const sourceIp = textIn(counted, 'source_ip')
  const count = textIn(counted, 'count')
  const messages = /^\d{1,10}$/.test(count) ? Number(count) : 0
  if (isIP(sourceIp) === 0 || messages < 1 || messages > MOST_MESSAGES) return []
  const disposition = textIn(evaluated, 'disposition').toLowerCase()
  return [
    {
      sourceIp,
      messages,
      disposition: disposition === 'quarantine' || disposition === 'reject' ? disposition : 'none',
      dkim: textIn(evaluated, 'dkim').toLowerCase() === 'pass',
      spf: textIn(evaluated, 'spf').toLowerCase() === 'pass',
      headerFrom: textIn(identifiers, 'header_from').toLowerCase(),
      envelopeFrom: textIn(identifiers, 'envelope_from').toLowerCase(),
    },
  ]
}

type Fields = Record<string, unknown>

/** Empty where there is no element of that name, or several. */
function objectIn(parent: unknown, name: string): Fields {
  const found = isFields(parent) ? parent[name] : undefined
  return isFields(found) ? found : {}
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textIn(parent: Fields, name: string): string {
  const found = parent[name]
  return typeof found === 'string' ? cleanText(found, NAME_LENGTH) : ''
}

function secondsIn(parent: Fields, name: string): Date | undefined {
  const written = textIn(parent, name)
  return /^\d{9,10}$/.test(written) ? new Date(1000 * Number(written)) : undefined
}
