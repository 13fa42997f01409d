/** The API as it describes itself: its operations, samples for them, and whether an answer is as described. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import type { Answered, Document, Operation } from '#api/openapi/document.ts'
import { exampleOf } from '#api/openapi/example.ts'
import type { Schema } from '#api/openapi/schema.ts'
import type { Answer, Client, Json } from '../client.ts'

export type Described = { method: string; path: string; operation: Operation }

export async function documentOf(client: Client): Promise<Document> {
  const { status, body } = await client.request('GET', '/openapi.json')
  assert.equal(status, 200)
  return body
}

export function operationsIn({ paths }: Document): Described[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  )
}

export const bodySchemaOf = ({ requestBody }: Operation): Schema | undefined =>
  requestBody && Object.values(requestBody.content)[0]!.schema

/** What to write for a field or parameter, by its name; the schema's own example for any other. */
export type Samples = Readonly<Record<string, unknown>>

/** The least body that an operation takes. */
export function sampleBody(operation: Operation, samples: Samples): Record<string, unknown> {
  const schema = bodySchemaOf(operation)
  const object = schema?.anyOf?.find(({ type }) => type === 'object') ?? schema
  const sample = object ? (exampleOf(object) as Record<string, unknown>) : {}
  const named = Object.keys(sample).filter((name) => name in samples)
  return { ...sample, ...Object.fromEntries(named.map((name) => [name, samples[name]])) }
}

/** The path with ids in it, and the query parameters it cannot do without. */
export function samplePath({ path, operation }: Described, samples: Samples): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    assert.ok(name in samples, `what to write for {${name}} in ${path}?`)
    return encodeURIComponent(String(samples[name]))
  })
  const query = operation.parameters
    .filter((each) => each.in === 'query' && each.required)
    .map(({ name, schema }): [string, string] => [name, String(samples[name] ?? exampleOf(schema))])
  return query.length > 0 ? `${filled}?${new URLSearchParams(query)}` : filled
}

export type Sending = {
  method: string
  path: string
  body?: string
  headers?: Record<string, string>
}

const SEND_LIMIT_MS = 40_000

/** As the client sends, except that an answer need not be JSON. */
export async function send(
  { base, key }: Pick<Client, 'base' | 'key'>,
  { method, path, body, headers }: Sending,
): Promise<Answer> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(key ? { 'x-api-key': key } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body ?? null,
    signal: AbortSignal.timeout(SEND_LIMIT_MS),
  })
  const text = await response.text()
  const isJson = /^application\/json/.test(response.headers.get('content-type') ?? '')
  const { status } = response
  return {
    status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  }
}

// --- Whether an answer is as described

/** Fails for a status that is not described, a field that is missing, and one that is not described. */
export function conforms(
  document: Document,
  { method, path, operation }: Described,
  answer: Pick<Answer, 'status' | 'body'>,
): void {
  const what = `${method} ${path} → ${answer.status}`
  const described = responseOf(operation, answer.status)
  assert.ok(described, `${what} is not described`)
  const schema = described.content?.['application/json']?.schema
  if (!schema) return
  const { success, error } = shapeOf(document, schema).safeParse(answer.body)
  const why = error ? z.prettifyError(error) : ''
  assert.ok(success, `${what}: ${why}\n${JSON.stringify(answer.body)}`)
}

/** What may be wrong with every request is described once for all. */
const OF_ALL = [400, 413, 414, 415, 421, 431]

export function responseOf({ responses }: Operation, status: number): Answered | undefined {
  const range = status < 300 ? responses['2XX'] : undefined
  return responses[status] ?? range ?? (OF_ALL.includes(status) ? responses.default : undefined)
}

const shapes = new WeakMap<Schema, z.ZodType>()

function shapeOf(document: Document, schema: Schema): z.ZodType {
  const known = shapes.get(schema)
  if (known) return known
  const shape = z.fromJSONSchema(
    resolved(document, schema) as Parameters<typeof z.fromJSONSchema>[0],
  )
  shapes.set(schema, shape)
  return shape
}

/** With references written out, and no field allowed that is not described. */
function resolved(document: Document, schema: Json): Json {
  if (Array.isArray(schema)) return schema.map((each) => resolved(document, each))
  if (typeof schema !== 'object' || schema === null) return schema
  if (schema.$ref)
    return resolved(document, document.components.schemas[schema.$ref.split('/').at(-1)!])
  const entries = Object.entries(schema).map(([key, value]) => [key, resolved(document, value)])
  const closed = schema.properties ? { additionalProperties: false } : {}
  return { ...closed, ...Object.fromEntries(entries) }
}

/** The operation that a request was one of. */
export function operationOf(
  operations: readonly Described[],
  method: string,
  url: string,
): Described | undefined {
  const path = url.split('?')[0]!
  const fits = (template: string) =>
    new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path)
  // A literal path comes before one with a parameter in its place.
  return operations
    .filter((each) => each.method === method && fits(each.path))
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)[0]
}
