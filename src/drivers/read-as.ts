import type { z } from 'zod'
import { DriverError } from './errors.ts'

/** Parses a provider's answer. An unexpected form counts as unavailable, not as a refusal. */
export function readAs<T>(provider: string, shape: z.ZodType<T>, json: unknown): T {
  const read = shape.safeParse(json)
  if (read.success) return read.data
  throw new DriverError('unavailable', `${provider} answered in a shape we do not know.`)
}
