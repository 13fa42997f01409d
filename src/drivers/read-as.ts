import type { z } from 'zod'
import { DriverError } from './errors.ts'

/** What a provider answered, in the shape we know; an answer in another tells nothing, and so is no "no". */
export function readAs<T>(provider: string, shape: z.ZodType<T>, json: unknown): T {
  const read = shape.safeParse(json)
  if (read.success) return read.data
  throw new DriverError('unavailable', `${provider} answered in a shape we do not know.`)
}
