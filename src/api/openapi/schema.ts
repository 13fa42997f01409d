/** Zod shapes as JSON Schema (draft 2020-12), which OpenAPI 3.1 uses. */
import { z } from 'zod'

/** The fields of JSON Schema that are read here. */
export type Schema = {
  type?: string | string[]
  format?: string
  pattern?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  $ref?: string
  default?: unknown
  examples?: unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

/** Shapes that have a name in the document; `.register(components, { id })` gives one its name. */
export const components = z.registry<{ id: string }>()

const refTo = (id: string): string => `#/components/schemas/${id}`

/** A schema as a caller has to write it; a shape with a name of its own becomes a reference. */
export function schemaOf(shape: z.ZodType): Schema {
  const id = components.get(shape)?.id
  if (id !== undefined) return { $ref: refTo(id) }
  return cleaned(z.toJSONSchema(shape, SETTINGS))
}

/** All shapes that have a name. */
export function namedSchemas(): Record<string, Schema> {
  const { schemas } = z.toJSONSchema(components, { ...SETTINGS, uri: refTo })
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, cleaned(schema)]))
}

type Found = { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }

const SETTINGS = {
  io: 'input',
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }: Found): void => {
    // Their patterns are long and repeat the format.
    if (jsonSchema.format) delete jsonSchema.pattern
    leaveOutSafeBounds(jsonSchema)
    const { def } = zodSchema._zod
    if (def.type === 'object') markOptional(def.shape, jsonSchema)
  },
} as const

/** Zod adds them to every integer, so they mean nothing. */
function leaveOutSafeBounds(written: z.core.JSONSchema.BaseSchema): void {
  if (written.minimum === Number.MIN_SAFE_INTEGER) delete written.minimum
  if (written.maximum === Number.MAX_SAFE_INTEGER) delete written.maximum
}

/** A field with a default looks required; checking `undefined` shows whether it is. */
function markOptional(
  shape: Readonly<Record<string, z.core.$ZodType>>,
  written: z.core.JSONSchema.BaseSchema,
): void {
  const left = Object.entries(shape).map(
    ([name, field]) => [name, z.safeParse(field, undefined)] as const,
  )
  const required = left.filter(([, { success }]) => !success).map(([name]) => name)
  delete written.required
  if (required.length > 0) written.required = required
  for (const [name, { data }] of left) {
    const property = written.properties?.[name]
    if (data !== undefined && typeof property === 'object') property.default ??= data
  }
}

function cleaned(written: object): Schema {
  const { $schema: _dialect, $id: _name, ...schema } = written as Schema & Record<string, unknown>
  return schema
}
