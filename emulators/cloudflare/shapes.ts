/** Just enough of JSON Schema to check an answer against the SDK's types: for tests. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Schema = {
  $ref?: string
  anyOf?: readonly Schema[]
  type?: string | readonly string[]
  const?: unknown
  enum?: readonly unknown[]
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  items?: Schema
}
type Schemas = { definitions: Readonly<Record<string, Schema>> }

/** The errors of a value as the named type; empty if it is valid. */
export type CheckShape = (type: string, value: unknown) => string[]

export function sdkShapes(contracts: string): CheckShape {
  const file = join(contracts, 'cloudflare', 'sdk-7.3.0.types.schema.json')
  const { definitions }: Schemas = JSON.parse(readFileSync(file, 'utf8'))
  const check = (schema: Schema, value: unknown, at: string): string[] => {
    if (schema.$ref !== undefined) return check(definitionOf(schema.$ref), value, at)
    if (schema.anyOf !== undefined) return checkAny(schema.anyOf, value, at)
    return [...problemsOf(schema, value, at), ...checkBelow(schema, value, at)]
  }
  const definitionOf = (ref: string): Schema => {
    const name = decodeURIComponent(ref.replace('#/definitions/', ''))
    const found = definitions[name]
    if (found === undefined) throw new Error(`The contract has no type ${name}`)
    return found
  }
  const checkAny = (choices: readonly Schema[], value: unknown, at: string): string[] => {
    const tries = choices.map((choice) => check(choice, value, at))
    return tries.toSorted((a, b) => a.length - b.length)[0] ?? []
  }
  const checkBelow = (schema: Schema, value: unknown, at: string): string[] => {
    if (Array.isArray(value)) {
      const { items = {} } = schema
      return value.flatMap((item, index) => check(items, item, `${at}[${index}]`))
    }
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, part]) =>
      check(schema.properties?.[key] ?? {}, part, `${at}.${key}`),
    )
  }
  return (type, value) => check({ $ref: `#/definitions/${type}` }, value, type)
}

function problemsOf(schema: Schema, value: unknown, at: string): string[] {
  const types = schema.type === undefined ? [] : [schema.type].flat()
  const isTyped = types.length === 0 || types.includes(typeOf(value))
  const isConst = !('const' in schema) || schema.const === value
  const isListed = schema.enum?.includes(value) ?? true
  if (!isTyped || !isConst || !isListed) {
    return [
      `${at} is ${JSON.stringify(value)}, not ${JSON.stringify(schema.const ?? schema.enum ?? types)}`,
    ]
  }
  const has = (key: string) => typeof value === 'object' && value !== null && key in value
  return (schema.required ?? []).filter((key) => !has(key)).map((key) => `${at}.${key} is missing`)
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
