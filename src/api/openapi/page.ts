/** The document as one page for people. It loads nothing from anywhere, and runs no script. */
import { createHash } from 'node:crypto'
import type { Content, Document, Operation, Parameter } from './document.ts'
import { EXAMPLE_ID, exampleOf } from './example.ts'
import type { Schema } from './schema.ts'
import { STYLE } from './style.ts'

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Nothing but the style that stands in the page. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

type Named = { path: string; method: string; operation: Operation }

/** HTML that has not to be escaped again. */
type Html = { readonly html: string }
type Part = string | number | Html | readonly Html[]

/** Everything that is put in is escaped, unless it was written by this same function. */
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

/** The page. `prefix` is left out where paths are listed, for it is the same for nearly all of them. */
export function pageOf(document: Document, prefix: string): string {
  const all = operationsOf(document)
  const sections = document.tags.map(({ name }) => ({
    name,
    operations: all.filter(({ operation }) => operation.tags.includes(name)),
  }))
  const { title, version, description } = document.info
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} API</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<nav aria-label="Operations">
${sections.map(
  ({ name, operations }) => html`<h2>${name}</h2>
<ul>${operations.map((each) => linkTo(each, prefix))}</ul>`,
)}
<h2>Shapes</h2>
<ul>${Object.keys(document.components.schemas).map((id) => html`<li><a href="#${id}">${id}</a></li>`)}</ul>
</nav>
<main>
<h1>${title} API, version ${version}</h1>
<p>${prose(description)}</p>
<p>Send the key as <code>X-API-Key</code>, or as <code>Authorization: Bearer</code>. The same page for programs:
<a href="/openapi.json">openapi.json</a> (OpenAPI ${document.openapi}).</p>
${sections.map(
  ({ name, operations }) => html`<h2>${name}</h2>
${operations.map(operationOf)}`,
)}
<h2>Shapes</h2>
${Object.entries(document.components.schemas).map(
  ([id, schema]) => html`<section id="${id}">
<h3>${id}</h3>
${fieldsOf(schema)}
</section>`,
)}
</main>
</body>
</html>
`.html
}

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
  html`<li><a href="#${operation.operationId}"><b class="${method.toLowerCase()}">${method}</b> ${path.replace(prefix, '')}</a></li>
`

function operationOf(named: Named): Html {
  const { path, method, operation } = named
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  return html`<section id="${operationId}">
<h3><a href="#${operationId}">${summary}</a></h3>
<p class="path"><b class="${method.toLowerCase()}">${method}</b> <code>${path}</code>${scopeOf(operation)}</p>
${description === undefined ? NOTHING : html`<p>${prose(description)}</p>`}
${parameters.length > 0 ? table('Parameter', parameters.map(parameterRow)) : NOTHING}
${
  requestBody
    ? html`<h4>Body</h4>
${contentOf(requestBody.content)}`
    : NOTHING
}
<h4>Answers</h4>
<dl>${Object.entries(responses).map(
    ([status, { description: meaning, content }]) => html`<dt>${status}</dt>
<dd>${prose(meaning)} ${namesOf(content)}</dd>
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
  if (schema.anyOf && !schema.properties) return html`${schema.anyOf.map(fieldsOf)}`
  if (!schema.properties) return html`<p>${typeOf(schema)} ${prose(limitsOf(schema))}</p>`
  const required = schema.required ?? []
  const rows = fieldsBelow(schema, '').map(({ name, field }) =>
    row(name, field, required.includes(name), field.description ?? ''),
  )
  return table('Field', rows)
}

type Field = { name: string; field: Schema }

/** With the fields of what lies within, as `providers.dns`. */
function fieldsBelow(schema: Schema, above: string): Field[] {
  const { properties = {} } = schema.anyOf?.find((each) => each.properties) ?? schema
  return Object.entries(properties).flatMap(([written, field]) => {
    const name = above + written
    const inner = field.items ? { schema: field.items, mark: '[].' } : { schema: field, mark: '.' }
    return [{ name, field }, ...fieldsBelow(inner.schema, name + inner.mark)]
  })
}

function typeOf(schema: Schema): Html {
  if (schema.$ref) return refOf(schema.$ref)
  if (schema.items) return html`list of ${typeOf(schema.items)}`
  if (schema.anyOf) return joined(schema.anyOf.map(typeOf))
  return html`${schema.format ?? schema.type ?? 'anything'}`
}

const joined = (types: readonly Html[]): Html => ({
  html: [...new Set(types.map((type) => type.html))].join(' or '),
})

function refOf(ref: string): Html {
  const id = ref.split('/').at(-1)!
  return html`<a href="#${id}">${id}</a>`
}

function limitsOf(schema: Schema): string {
  const choices = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  // biome-ignore format: a table
  const limits: readonly [limit: unknown, sentence: string][] = [
    [choices,          `One of ${choices?.map((each) => `\`${each}\``).join(', ')}.`],
    [schema.minimum,   `At least ${schema.minimum}.`],
    [schema.maximum,   `At most ${schema.maximum}.`],
    [schema.maxLength, `At most ${schema.maxLength} characters.`],
    [schema.maxItems,  `At most ${schema.maxItems} items.`],
    [schema.default,   `By default \`${JSON.stringify(schema.default)}\`.`],
  ]
  return limits
    .filter(([limit]) => limit !== undefined)
    .map(([, sentence]) => sentence)
    .join(' ')
}

const contentOf = (content: Content): Html =>
  html`${Object.values(content).map(({ schema }) => (schema.$ref ? typeOf(schema) : fieldsOf(schema)))}`

const namesOf = (content: Content | undefined): Html =>
  html`${Object.entries(content ?? {}).map(([type, { schema }]) =>
    schema.$ref || schema.items ? typeOf(schema) : html`<code>${type}</code>`,
  )}`

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
