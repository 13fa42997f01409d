/** Azure's refusals: a code, and a message that may hold ids and so is never passed on. */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer } from '../../http.ts'
import type { ClaimRef } from '../contract.ts'

const UNKNOWN = 'unknown'
const errorBody = z.object({ error: z.object({ code: z.string() }) })

export const codeOf = ({ json }: HttpAnswer): string =>
  errorBody.safeParse(json).data?.error.code.slice(0, 80) ?? UNKNOWN

/** No code: the refusal does not come from Azure itself. */
export const isUnknown = (code: string): boolean => code === UNKNOWN

/** The resource is absent, or its parent is. */
const ABSENT = ['ResourceNotFound', 'NotFound', 'ParentResourceNotFound']

/** By its code: a proxy answers 404 too, and so does Azure for wrong account settings. */
export const isAbsent = (answer: HttpAnswer): boolean =>
  answer.status === 404 && ABSENT.includes(codeOf(answer))

/** Faults of the account, not of a domain. */
const OF_THE_ACCOUNT: Record<string, string> = {
  SubscriptionNotFound: 'Azure finds no subscription as the account names it.',
  InvalidSubscriptionId: 'Azure finds no subscription as the account names it.',
  ResourceGroupNotFound: 'Azure finds no resource group as the account names it.',
  MissingSubscriptionRegistration:
    'The subscription at Azure has not registered the resource provider Microsoft.Communication.',
}

/** 409 means that Azure is busy with the resource: it says nothing about our request. */
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
      'Azure has not made the service yet that the domain is to be in.',
    )
  }
  const kind = status === 404 ? 'unavailable' : 'rejected'
  return new DriverError(kind, `Azure refuses: ${code}.`)
}

export const notRegistered = ({ name }: ClaimRef): DriverError =>
  new DriverError('rejected', `${name} is not registered for sending at Azure.`)
