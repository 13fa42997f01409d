/** Azure's refusals: a code, and a message that we never pass on, because it may contain ids. */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer } from '../../http.ts'
import type { ClaimRef } from '../contract.ts'

const UNKNOWN = 'unknown'
const errorBody = z.object({ error: z.object({ code: z.string() }) })

export const codeOf = ({ json }: HttpAnswer): string =>
  errorBody.safeParse(json).data?.error.code.slice(0, 80) ?? UNKNOWN

/** Whether the refusal has no code: then a proxy sent it, not Azure. */
export const isUnknown = (code: string): boolean => code === UNKNOWN

/** The codes for an absent resource, or an absent parent of it. */
const ABSENT = ['ResourceNotFound', 'NotFound', 'ParentResourceNotFound']

/**
 * Compares the code: a proxy answers 404 too, and so does Azure if the account settings are wrong.
 */
export const isAbsent = (answer: HttpAnswer): boolean =>
  answer.status === 404 && ABSENT.includes(codeOf(answer))

/** Faults of the account, not of a domain. */
const OF_THE_ACCOUNT: Record<string, string> = {
  SubscriptionNotFound: 'Azure has no subscription with the id in the account.',
  InvalidSubscriptionId: 'Azure has no subscription with the id in the account.',
  ResourceGroupNotFound: 'Azure has no resource group with the name in the account.',
  MissingSubscriptionRegistration:
    'The subscription at Azure has not registered the resource provider Microsoft.Communication.',
}

/** 409 means that Azure is busy with the resource, not that our request is wrong. */
export function refusalOf(status: number, code: string): DriverError {
  const ofTheAccount = OF_THE_ACCOUNT[code]
  if (ofTheAccount) return new DriverError('unavailable', ofTheAccount)
  if (isUnknown(code)) {
    return new DriverError('unavailable', `Azure answered ${status} in a shape we do not know.`)
  }
  if (status === 409) return new DriverError('unavailable', `Azure is busy with it: ${code}.`)
  if (code === 'ParentResourceNotFound') {
    return new DriverError(
      'unavailable',
      'Azure has not created the email service of the domain yet.',
    )
  }
  const kind = status === 404 ? 'unavailable' : 'rejected'
  return new DriverError(kind, `Azure refuses: ${code}.`)
}

export const notRegistered = ({ name }: ClaimRef): DriverError =>
  new DriverError('rejected', `${name} is not registered for sending at Azure.`)
