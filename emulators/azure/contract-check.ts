/**
 * For tests: whether an answer fits the recorded contract. Light: what JSON Schema has that Azure
 * uses.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Schema = {
  $ref?: string
  allOf?: Schema[]
  type?: string
  enum?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema | boolean
  items?: Schema
}
type Answered = {
  headers?: Record<string, unknown>
  content?: Record<string, { schema: Schema }>
}
type Contract = {
  paths: Record<string, Record<string, { responses: Record<string, Answered> }>>
  components: { schemas: Record<string, Schema> }
}

const FOLDER = process.env.MAILSTEAD_CONTRACTS
export const NO_CONTRACTS =
  FOLDER === undefined ? 'MAILSTEAD_CONTRACTS names no directory of recorded contracts' : false

const read = (file: string): Contract =>
  JSON.parse(readFileSync(join(FOLDER!, 'azure', file), 'utf8'))
const CONTRACTS =
  FOLDER === undefined
    ? []
    : [
        'arm-communication-2025-09-01.openapi.json',
        'communication-email-2025-09-01.openapi.json',
      ].map(read)

export type Observed = {
  method: string
  path: string
  status: number
  body: string
  headers: { get(name: string): string | null | undefined }
}

/** How the answer deviates from the contract; nothing where the contract lacks the path. */
export function deviationsOf({ method, path, status, body, headers }: Observed): string[] {
  for (const contract of CONTRACTS) {
    const answers = answersFor(contract, method, path)
    const answer = answers && (answers[status] ?? (status >= 400 ? answers.default : undefined))
    if (answers === undefined) continue
    if (answer === undefined) return [`${status} is no answer to ${method} ${path}`]
    const missing = Object.keys(answer.headers ?? {})
      .filter((name) => status < 400 && !headers.get(name.toLowerCase()))
      .map((name) => `the header ${name} is missing`)
    return [...missing, ...bodyDeviations(contract, answer, body)]
  }
  return []
}

function answersFor({ paths }: Contract, method: string, path: string) {
  for (const [template, methods] of Object.entries(paths)) {
    const pattern = template.replace(/[.:]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')
    if (new RegExp(`^${pattern}$`, 'i').test(path)) return methods[method.toLowerCase()]?.responses
  }
  return undefined
}

function bodyDeviations(contract: Contract, { content }: Answered, body: string): string[] {
  const schema = Object.values(content ?? {})[0]?.schema
  if (schema === undefined) return body === '' ? [] : [`a body where none belongs: ${body}`]
  return deviations(contract, schema, JSON.parse(body), 'body')
}

function deviations(contract: Contract, written: Schema, value: unknown, at: string): string[] {
  const schema = resolved(contract, written)
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is ${value}`]
  if (schema.type !== undefined && !hasType(schema.type, value)) {
    return [`${at} is no ${schema.type}: ${JSON.stringify(value)}`]
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      deviations(contract, schema.items ?? {}, item, `${at}[${index}]`),
    )
  }
  if (typeof value !== 'object' || value === null) return []
  return objectDeviations(contract, schema, value, at)
}

function objectDeviations(contract: Contract, schema: Schema, value: object, at: string): string[] {
  const { properties = {}, required = [], additionalProperties } = schema
  const missing = required.filter((name) => !(name in value)).map((name) => `${at}.${name} misses`)
  const rest = typeof additionalProperties === 'object' ? additionalProperties : undefined
  const wrong = Object.entries(value).flatMap(([name, part]) => {
    const known = properties[name] ?? rest
    return known
      ? deviations(contract, known, part, `${at}.${name}`)
      : [`${at}.${name} is not in the contract`]
  })
  return [...missing, ...wrong]
}

function resolved(contract: Contract, schema: Schema): Schema {
  const [part] = schema.allOf ?? []
  if (part) return resolved(contract, part)
  if (schema.$ref === undefined) return schema
  return resolved(contract, contract.components.schemas[schema.$ref.split('/').at(-1)!]!)
}

function hasType(type: string, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}
