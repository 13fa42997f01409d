/** The part of JSON Schema that describes the recorded answers; for tests. */
import assert from 'node:assert/strict'
import { isRecord } from './php.ts'

export type Schema = {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  pattern?: string
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean
  maxProperties?: number
  items?: Schema
  minItems?: number
}
export type Definitions = Record<string, Schema>

/** Throws with the path of the value that does not fit. */
export function assertFits(defs: Definitions, name: string, value: unknown): void {
  const misfit = misfitOf(defs, defs[name]!, value, name)
  assert.equal(misfit, undefined)
}

function misfitOf(
  defs: Definitions,
  schema: Schema,
  value: unknown,
  at: string,
): string | undefined {
  if (schema.$ref) return misfitOf(defs, defs[schema.$ref.split('/').at(-1)!]!, value, at)
  if (schema.anyOf) {
    const misfits = schema.anyOf.map((one) => misfitOf(defs, one, value, at))
    return misfits.includes(undefined) ? undefined : misfits.join(', or ')
  }
  if (schema.type && ![schema.type].flat().some((type) => isOf(type, value)))
    return `${at} is no ${schema.type}`
  if ('const' in schema && value !== schema.const) return `${at} is not ${schema.const}`
  if (schema.enum && !schema.enum.includes(value)) return `${at} is none of ${schema.enum}`
  if (schema.pattern && !new RegExp(schema.pattern).test(String(value)))
    return `${at} does not match ${schema.pattern}`
  return Array.isArray(value)
    ? listMisfit(defs, schema, value, at)
    : isRecord(value)
      ? recordMisfit(defs, schema, value, at)
      : undefined
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isRecord(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function listMisfit(defs: Definitions, schema: Schema, list: unknown[], at: string) {
  if (list.length < (schema.minItems ?? 0)) return `${at} has too few items`
  const { items } = schema
  if (!items) return undefined
  return firstMisfit(list.map((item, index) => misfitOf(defs, items, item, `${at}[${index}]`)))
}

function recordMisfit(
  defs: Definitions,
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  at: string,
) {
  const { properties = {}, required = [] } = schema
  const keys = Object.keys(value)
  const missing = required.find((key) => !(key in value))
  if (missing) return `${at} has no ${missing}`
  if (keys.length > (schema.maxProperties ?? keys.length)) return `${at} has too many properties`
  const strange = keys.find((key) => !(key in properties))
  if (strange && schema.additionalProperties === false) return `${at} has a ${strange}`
  return firstMisfit(
    Object.entries(properties)
      .filter(([key]) => key in value)
      .map(([key, property]) => misfitOf(defs, property, value[key], `${at}.${key}`)),
  )
}

const firstMisfit = (misfits: readonly (string | undefined)[]): string | undefined =>
  misfits.find((misfit) => misfit !== undefined)
