/** Translates issues of the schema library into violations of the API. */
import type { Violation } from './problems.ts'

/** The fields of a zod issue that are read here. */
export type Issue = {
  code: string
  path: readonly PropertyKey[]
  message: string
  expected?: string
  origin?: string
  format?: string
  inclusive?: boolean
  minimum?: number | bigint
  maximum?: number | bigint
  params?: Record<string, unknown>
}

/** `part` is the part of the request with the issue, `raw` its content. */
export function violationOf(part: string, raw: unknown, issue: Issue): Violation {
  const loc = [part, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))]
  const isMissing = valueAt(raw, issue.path) === undefined && issue.code !== 'custom'
  if (isMissing) return { loc, msg: 'field required', type: 'value_error.missing' }
  return { loc, msg: issue.message, type: typeOf(issue) }
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    return typeof value === 'object' && value !== null
      ? (value as Record<PropertyKey, unknown>)[key]
      : undefined
  }, raw)
}

function typeOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `type_error.${TYPE_NAMES[issue.expected ?? ''] ?? issue.expected}`
    case 'too_small':
      return TOO_SMALL[issue.origin ?? ''] ?? 'value_error.number.not_ge'
    case 'too_big':
      return TOO_BIG[issue.origin ?? ''] ?? 'value_error.number.not_le'
    case 'invalid_format':
      return FORMATS[issue.format ?? ''] ?? 'value_error.str.regex'
    case 'invalid_value':
      return 'type_error.enum'
    case 'custom':
      return typeof issue.params?.type === 'string' ? issue.params.type : 'value_error'
    default:
      return 'value_error'
  }
}

const TYPE_NAMES: Record<string, string> = {
  string: 'str',
  int: 'integer',
  number: 'integer',
  boolean: 'bool',
  array: 'list',
  object: 'dict',
  record: 'dict',
}
const TOO_SMALL: Record<string, string> = {
  string: 'value_error.any_str.min_length',
  array: 'value_error.list.min_items',
}
const TOO_BIG: Record<string, string> = {
  string: 'value_error.any_str.max_length',
  array: 'value_error.list.max_items',
}
const FORMATS: Record<string, string> = { uuid: 'value_error.uuid', email: 'value_error.email' }
