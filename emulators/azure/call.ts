/** A request to ARM in the form its handlers take, and the refusals they share. */
import { z } from 'zod'
import type { EmulatedAnswer } from '../server.ts'
import { Refused } from './answers.ts'
import { CANONICAL } from './operations.ts'
import { type Cloud, type Provisioned, resourceId } from './state.ts'

export type ArmCall = {
  cloud: Cloud
  /** The names in the path, in order, without subscription and resource group. */
  names: readonly string[]
  path: string
  query: URLSearchParams
  version: string
  body: string
}

export type ArmHandler = (call: ArmCall) => EmulatedAnswer | Promise<EmulatedAnswer>

/** Parses the body by its schema, or throws the refusal that names the error. */
export function readBody<T>({ body }: ArmCall, schema: z.ZodType<T>): T {
  const written = parse(body)
  const result = schema.safeParse(written)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue!.path.join('.')
  if (path === 'location') throw locationRefused(Object(written).location !== undefined)
  throw badRequest(`The request is invalid${path && ` at '${path}'`}: ${issue!.message}.`)
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Refused(400, 'InvalidRequestContent', 'The request content was invalid JSON.')
  }
}

/** This provider's resources exist only in `global`. */
const locationRefused = (isGiven: boolean): Refused =>
  isGiven
    ? new Refused(
        400,
        'LocationNotAvailableForResourceType',
        "The location is not available for the resource type; it is available in 'global'.",
      )
    : new Refused(400, 'LocationRequired', 'The location property is required for this definition.')

/** The provider's own refusal of a body; the code `BadRequest` is a guess. */
export const badRequest = (message: string): Refused => new Refused(400, 'BadRequest', message)

/** `path` as in `emailServices/es`. */
export const notFound = (path: string): Refused =>
  new Refused(
    404,
    'ResourceNotFound',
    `The Resource 'Microsoft.Communication/${path}' was not found.`,
  )

export const parentNotFound = (path: string): Refused =>
  new Refused(
    404,
    'ParentResourceNotFound',
    `Can not perform requested operation on nested resource. Parent resource '${path}' not found.`,
  )

/** Code and status are guesses: the specification names neither for a resource in a transitional state. */
export const inPassage = ({ name, provisioningState }: Provisioned): Refused =>
  new Refused(
    409,
    'Conflict',
    `The resource '${name}' is ${provisioningState}; try again when it is Succeeded.`,
  )

/** Fields that clients may send back as read; they are ignored. */
export const READ_ONLY = {
  id: z.unknown().optional(),
  name: z.unknown().optional(),
  type: z.unknown().optional(),
  systemData: z.unknown().optional(),
}

export const TAGS = z.record(z.string(), z.string()).optional()

export const GLOBAL = z.literal(['global', 'Global'])

/** The common fields of every resource. `path` as in `emailServices/es`. */
export function framed(cloud: Cloud, path: string, dates: Dates, properties: object) {
  const parts = path.split('/')
  const by = { id: cloud.credentials.clientId, type: 'Application' }
  return {
    id: resourceId(cloud, path),
    name: parts.at(-1)!,
    type: `Microsoft.Communication/${parts.filter((_, index) => index % 2 === 0).join('/')}`,
    systemData: {
      createdBy: by.id,
      createdByType: by.type,
      createdAt: new Date(dates.createdAt).toISOString(),
      lastModifiedBy: by.id,
      lastModifiedByType: by.type,
      lastModifiedAt: new Date(dates.changedAt).toISOString(),
    },
    properties,
  }
}

type Dates = { createdAt: number; changedAt: number }

/** One page of a list; `$skipToken` is the number of items to skip. */
export function paged({ cloud, path, query, version }: ArmCall, items: readonly object[]) {
  const { pageSize } = cloud.settings
  const start = Number(query.get('$skipToken') ?? 0)
  if (!Number.isSafeInteger(start) || start < 0) throw badRequest('The $skipToken is invalid.')
  const value = items.slice(start, start + pageSize)
  const next = start + pageSize
  const nextLink = `${CANONICAL}${encodeURI(path)}?api-version=${version}&$skipToken=${next}`
  return { status: 200, json: { value, ...(next < items.length && { nextLink }) } }
}
