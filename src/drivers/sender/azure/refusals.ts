/** What Azure says no with: a code, and a message that may hold ids and so is never passed on. */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer } from '../../http.ts'

const errorBody = z.object({ error: z.object({ code: z.string() }) })

export const codeOf = ({ json }: HttpAnswer): string =>
  errorBody.safeParse(json).data?.error.code.slice(0, 80) ?? 'unknown'

/** 409 is Azure at work on the same thing: it says nothing about ours. */
export function refusalOf(status: number, code: string): DriverError {
  if (status === 409) return new DriverError('unavailable', `Azure is busy with it: ${code}.`)
  if (code === 'ParentResourceNotFound') {
    return new DriverError(
      'unavailable',
      'Azure has not made the service yet that the domain is to be in.',
    )
  }
  return new DriverError('rejected', `Azure refuses: ${code}.`)
}
