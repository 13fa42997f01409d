/** The document as one page for people. It loads nothing and runs no script. */
import { createHash } from 'node:crypto'
import type { Content, Document, Operation, Parameter } from './document.ts'
import { EXAMPLE_ID, exampleOf } from './example.ts'
import type { Schema } from './schema.ts'
import { STYLE } from './style.ts'

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Allows only the style in the page. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

type Named = { path: string; method: string; operation: Operation }

/** HTML that is escaped already. */
type Html = { readonly html: string }
type Part = string | number | Html | readonly Html[]

/** Escapes every part, unless this function made it. */
function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: texts.map((text, index) => text + written(parts[index] ?? '')).join('') }
}

function written(part: Part): string {
  if (typeof part === 'object')
    return [part]
      .flat()
      .map((each) => each.html)
      .join('')
  return String(part).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`)
}

const NOTHING: Html = { html: '' }

type Section = { name: string; operations: readonly Named[] }

/** The page. `prefix` is left out of listed paths, as nearly all have it. */
export function pageOf(document: Document, prefix: string): string {
  const all = operationsOf(document)
  const sections = document.tags.map(({ name }) => ({
    name,
    operations: all.filter(({ operation }) => operation.tags.includes(name)),
  }))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title} API</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
${navigationOf(document, sections, prefix)}
<main>
${introductionOf(document)}
${sections.map(
  ({ name, operations }) => html`<h2>${name}</h2>
${operations.map(operationOf)}`,
)}
<h2>Shapes</h2>
${Object.entries(document.components.schemas).map(shapeOf)}
</main>
</body>
</html>
`.html
}

/** Closed at first where there is no room beside the text; elsewhere the style opens it. */
function navigationOf(document: Document, sections: readonly Section[], prefix: string): Html {
  return html`<nav aria-label="Operations"><details>
<summary>Operations and shapes</summary>
${sections.map(
  ({ name, operations }) => html`<h2>${name}</h2>
<ul>${operations.map((each) => linkTo(each, prefix))}</ul>`,
)}
<h2>Shapes</h2>
<ul>${Object.keys(document.components.schemas).map((id) => html`<li><a href="#${id}">${id}</a></li>`)}</ul>
</details></nav>`
}

function introductionOf({ openapi, info, components }: Document): Html {
  const headers = Object.entries(components.headers)
  return html`<h1>${info.title} API, version ${info.version}</h1>
<p>${prose(info.description)}</p>
<p>Send the key as <code>X-API-Key</code>, or as <code>Authorization: Bearer</code>. The same page for programs:
<a href="/openapi.json">openapi.json</a> (OpenAPI ${openapi}).</p>
<p>In the examples, <code>$MAILSTEAD</code> is where this page is, without its path, and <code>$KEY</code> is your key.</p>
<h2>Headers of answers</h2>
${table(
  'Header',
  headers.map(([name, { schema, description }]) => row(name, schema, false, description)),
)}`
}

const shapeOf = ([id, schema]: [string, Schema]): Html => html`<section id="${id}">
<h3><a href="#${id}">${id}</a></h3>
${fieldsOf(schema)}
</section>`

function operationsOf({ paths }: Document): Named[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  )
}

const linkTo = ({ path, method, operation }: Named, prefix: string): Html =>
  html`<li><a href="#${operation.operationId}"><b class="${method.toLowerCase()}">${method}</b> ${breakable(path.replace(prefix, ''))}</a></li>
`

function operationOf(named: Named): Html {
  const { path, method, operation } = named
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  return html`<section id="${operationId}">
<h3><a href="#${operationId}">${summary}</a></h3>
<p class="path"><b class="${method.toLowerCase()}">${method}</b> <code>${breakable(path)}</code>${scopeOf(operation)}</p>
${description === undefined ? NOTHING : html`<p>${prose(description)}</p>`}
${parameters.length > 0 ? table('Parameter', parameters.map(parameterRow)) : NOTHING}
${
  requestBody
    ? html`<h4>Body${requestBody.required ? NOTHING : html` <i>may be left out</i>`}</h4>
${contentOf(requestBody.content)}`
    : NOTHING
}
<h4>Answers</h4>
<dl>${Object.entries(responses).map(
    ([
      status,
      { description: meaning, content },
    ]) => html`<dt><code>${status}</code> ${namesOf(content)}</dt>
<dd>${linesOf(meaning)}</dd>
`,
  )}</dl>
<h4>Example</h4>
<pre><code>${curl(named)}</code></pre>
</section>
`
}

function scopeOf({ security }: Operation): Html {
  const [scope] = Object.values(security[0] ?? {})[0] ?? []
  return scope === undefined ? NOTHING : html` needs <code>${scope}</code>`
}

const table = (title: string, rows: readonly Html[]): Html =>
  html`<div class="table"><table>
<thead><tr><th>${title}</th><th>Type</th><th>What it is</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`

const parameterRow = ({ name, in: place, required, description, schema }: Parameter): Html =>
  row(name, schema, required, `In the ${place}.${description ? ` ${description}` : ''}`)

const row = (name: string, schema: Schema, required: boolean, meaning: string): Html =>
  html`<tr><td><code>${name}</code>${required ? html` <i>required</i>` : NOTHING}</td>
<td>${typeOf(schema)}</td><td>${prose([meaning, limitsOf(schema)].filter(Boolean).join(' '))}</td></tr>
`

function fieldsOf(schema: Schema): Html {
  if (schema.anyOf) {
    const choices = schema.anyOf.filter(({ type }) => type !== 'null')
    return joined(choices.map(fieldsOf), '<p>or</p>')
  }
  if (!schema.properties) return html`<p>${typeOf(schema)}. ${prose(limitsOf(schema))}</p>`
  const rows = fieldsBelow(schema, '').map(({ name, field, isRequired }) =>
    row(name, field, isRequired, field.description ?? ''),
  )
  return table('Field', rows)
}

type Field = { name: string; field: Schema; isRequired: boolean }

/** With nested fields, as `providers.dns`. */
function fieldsBelow(schema: Schema, above: string): Field[] {
  const object = schema.anyOf?.find((each) => each.properties) ?? schema
  const { properties = {}, required = [] } = object
  return Object.entries(properties).flatMap(([written, field]) => {
    const name = above + written
    const inner = field.items ? { schema: field.items, mark: '[].' } : { schema: field, mark: '.' }
    const isRequired = required.includes(written)
    return [{ name, field, isRequired }, ...fieldsBelow(inner.schema, name + inner.mark)]
  })
}

function typeOf(schema: Schema): Html {
  if (schema.$ref) return refOf(schema.$ref)
  if (schema.items) return html`list of ${typeOf(schema.items)}`
  if (schema.anyOf) return joined(schema.anyOf.map(typeOf), ' or ')
  const types = [schema.type ?? 'anything'].flat()
  const shown = types.map((type) => (type === 'string' ? (schema.format ?? type) : type))
  return html`${shown.join(' or ')}`
}

const joined = (parts: readonly Html[], between: string): Html => ({
  html: [...new Set(parts.map((part) => part.html))].join(between),
})

function refOf(ref: string): Html {
  const id = ref.split('/').at(-1)!
  return html`<a href="#${id}">${id}</a>`
}

function limitsOf(schema: Schema): string {
  const { anyOf = [], items, pattern } = schema
  const ofItems = items ? limitsOf(items) : ''
  const limits = [
    choicesOf(schema),
    rangeOf(schema.minimum, schema.maximum),
    rangeOf(schema.minLength, schema.maxLength, 'character'),
    rangeOf(schema.minItems, schema.maxItems, 'item'),
    pattern === undefined ? '' : `Fits \`${pattern}\`.`,
    ofItems && `Each item: ${ofItems[0]!.toLowerCase()}${ofItems.slice(1)}`,
    ...anyOf.map(limitsOf),
    schema.default === undefined ? '' : `By default \`${JSON.stringify(schema.default)}\`.`,
  ]
  return limits.filter(Boolean).join(' ')
}

function choicesOf(schema: Schema): string {
  if (schema.const !== undefined) return `Always \`${schema.const}\`.`
  return schema.enum ? `One of ${schema.enum.map((each) => `\`${each}\``).join(', ')}.` : ''
}

function rangeOf(low: number | undefined, high: number | undefined, unit?: string): string {
  const last = high ?? low
  const what = unit === undefined ? last : `${last} ${unit}${last === 1 ? '' : 's'}`
  if (low !== undefined && high !== undefined) return `${low} to ${what}.`
  if (low !== undefined) return `At least ${what}.`
  return high === undefined ? '' : `At most ${what}.`
}

const contentOf = (content: Content): Html =>
  html`${Object.values(content).map(({ schema }) => (schema.$ref ? typeOf(schema) : fieldsOf(schema)))}`

const namesOf = (content: Content | undefined): Html =>
  html`${Object.entries(content ?? {}).map(([type, { schema }]) =>
    schema.$ref || schema.items ? typeOf(schema) : html`<code>${type}</code>`,
  )}`

/** A line for each of its paragraphs. */
const linesOf = (text: string): Html =>
  html`${text.split('\n\n').map((line) => html`<p>${prose(line)}</p>`)}`

/** A path that may be broken after each slash, and nowhere else. */
const breakable = (path: string): Html => ({ html: written(path).replaceAll('/', '/<wbr>') })

/** Text in which code stands between backticks. */
function prose(text: string): Html {
  const parts = text.split('`')
  return html`${parts.map((part, index) => (index % 2 ? html`<code>${part}</code>` : html`${part}`))}`
}

function curl({ path, method, operation }: Named): string {
  const { parameters, requestBody } = operation
  const place = path.replace(/\{(\w+)\}/g, (_, name) =>
    name.endsWith('_id') ? EXAMPLE_ID : EXAMPLE_NAME,
  )
  const query = parameters
    .filter((each) => each.in === 'query' && each.required)
    .map(({ name, schema }) => `${name}=${encodeURIComponent(String(exampleOf(schema)))}`)
  const body = Object.values(requestBody?.content ?? {})[0]
  const lines = [
    `curl ${method === 'GET' ? '' : `-X ${method} `}"$MAILSTEAD${place}${query.length > 0 ? `?${query.join('&')}` : ''}"`,
    '-H "X-API-Key: $KEY"',
    ...(body
      ? [`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(exampleOf(body.schema))}'`]
      : []),
  ]
  return lines.join(' \\\n  ')
}

const EXAMPLE_NAME = 'example.test'
