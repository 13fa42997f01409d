/** Invented values that fit a schema: its first example, else the simplest value. */
import type { Schema } from './schema.ts'

export function exampleOf(schema: Schema): unknown {
  if (schema.examples) return schema.examples[0]
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf) return exampleOf(schema.anyOf[0]!)
  switch ([schema.type].flat()[0]) {
    case 'object':
      return requiredFieldsOf(schema)
    case 'array':
      return schema.items && (schema.minItems ?? 0) > 0 ? [exampleOf(schema.items)] : []
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    default:
      return schema.format === 'uuid' ? EXAMPLE_ID : 'text'
  }
}

function requiredFieldsOf({ properties = {}, required = [] }: Schema): object {
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {})]))
}

export const EXAMPLE_ID = '0190a1b2-c3d4-7e5f-8a6b-123456789abc'
