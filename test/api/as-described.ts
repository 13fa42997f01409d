/** Every answer that a test gets is held against what the product says of itself. */
import type { Document } from '#api/openapi/document.ts'
import type { Answer } from '../client.ts'
import { conforms, type Described, operationOf, operationsIn } from './document.ts'

type Description = { document: Document; operations: readonly Described[] }

const descriptions = new Map<string, Promise<Description | undefined>>()
const LIMIT_MS = 10_000

/** Fails where the answer to a described operation is not as described. What does not describe itself is not judged. */
export async function asDescribed(
  base: string,
  method: string,
  path: string,
  answer: Answer,
): Promise<void> {
  // A bug is not described, and neither is what no operation answers.
  const isOfNone = answer.status === 500 || answer.body?.error === 'not_found'
  if (!path.startsWith('/api/') || isOfNone) return
  const known = descriptions.get(base) ?? read(base)
  descriptions.set(base, known)
  const description = await known
  // It may have been on its way up, or down.
  if (!description) descriptions.delete(base)
  const operation = description && operationOf(description.operations, method, path)
  if (operation) conforms(description.document, operation, answer)
}

async function read(base: string): Promise<Description | undefined> {
  try {
    const response = await fetch(`${base}/openapi.json`, { signal: AbortSignal.timeout(LIMIT_MS) })
    if (response.status !== 200) return undefined
    const document = (await response.json()) as Document
    return { document, operations: operationsIn(document) }
  } catch {
    return undefined
  }
}
