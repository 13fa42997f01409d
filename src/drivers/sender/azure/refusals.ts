/** What Azure says no with: a code, and a message that may hold ids and so is never passed on. */
import { z } from 'zod'
import { DriverError } from '../../errors.ts'
import type { HttpAnswer } from '../../http.ts'
import type { ClaimRef } from '../contract.ts'

const UNKNOWN = 'unknown'
const errorBody = z.object({ error: z.object({ code: z.string() }) })

export const codeOf = ({ json }: HttpAnswer): string =>
  errorBody.safeParse(json).data?.error.code.slice(0, 80) ?? UNKNOWN

/** No code at all: whoever said no did not say it in Azure's words. */
export const isUnknown = (code: string): boolean => code === UNKNOWN

/** The thing itself is not there, or that which it would be in. */
const ABSENT = ['ResourceNotFound', 'NotFound', 'ParentResourceNotFound']

/** By its code: a proxy says 404 too, and so does Azure where the account's settings are wrong. */
export const isAbsent = (answer: HttpAnswer): boolean =>
  answer.status === 404 && ABSENT.includes(codeOf(answer))

/** What is wrong with the account, and so with no domain. */
const OF_THE_ACCOUNT: Record<string, string> = {
  SubscriptionNotFound: 'Azure finds no subscription as the account names it.',
  InvalidSubscriptionId: 'Azure finds no subscription as the account names it.',
  ResourceGroupNotFound: 'Azure finds no resource group as the account names it.',
  MissingSubscriptionRegistration:
    'The subscription at Azure has not registered the resource provider Microsoft.Communication.',
}

/** 409 is Azure at work on the same thing: it says nothing about ours. */
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
