/** suppressionLists and their addresses: recipients that a sender of a domain must not write to. */
import { z } from 'zod'
import { isAddress } from '#names/localpart.ts'
import type { EmulatedAnswer } from '../server.ts'
import {
  type ArmCall,
  badRequest,
  framed,
  notFound,
  paged,
  parentNotFound,
  READ_ONLY,
  readBody,
} from './call.ts'
import { parentDomainOf } from './domains.ts'
import type { Cloud, Domain, SuppressedAddress, SuppressionList } from './state.ts'

const NAME = /^[a-zA-Z0-9-]{1,253}$/

const LIST_BODY = z.strictObject({
  ...READ_ONLY,
  properties: z.strictObject({
    listName: z.string(),
    lastUpdatedTimeStamp: z.unknown().optional(),
    createdTimeStamp: z.unknown().optional(),
    dataLocation: z.unknown().optional(),
  }),
})

const ADDRESS_BODY = z.strictObject({
  ...READ_ONLY,
  properties: z.strictObject({
    email: z.string().refine(isAddress, 'this is not an address'),
    firstName: z.string().optional(),
    lastName: z.string().optional(),
    notes: z.string().optional(),
    lastModified: z.unknown().optional(),
    dataLocation: z.unknown().optional(),
  }),
})

/** Whether the sender has a list with the address on it. */
export function isSuppressed(domain: Domain, username: string, address: string): boolean {
  return [...domain.suppressionLists.values()]
    .filter(({ listName }) => listName?.toLowerCase() === username.toLowerCase())
    .some(({ addresses }) =>
      [...addresses.values()].some(({ email }) => email.toLowerCase() === address.toLowerCase()),
    )
}

export function putSuppressionList(call: ArmCall): EmulatedAnswer {
  const { cloud } = call
  const domain = parentDomainOf(call)
  const { listName } = readBody(call, LIST_BODY).properties
  if (!domain.senders.has(listName.toLowerCase())) {
    throw badRequest(`The listName '${listName}' is not a sender username of the domain`)
  }
  const name = checkedName(call.names[2]!)
  const now = cloud.settings.now()
  const found = domain.suppressionLists.get(name.toLowerCase())
  const list = found ?? { name, listName, createdAt: now, changedAt: now, addresses: new Map() }
  Object.assign(list, { listName, changedAt: now })
  domain.suppressionLists.set(name.toLowerCase(), list)
  return { status: found ? 200 : 201, json: showList(cloud, domain, list) }
}

function checkedName(name: string): string {
  if (NAME.test(name)) return name
  throw badRequest(`The name '${name}' does not match ${NAME.source}`)
}

function showList(cloud: Cloud, domain: Domain, list: SuppressionList) {
  return framed(cloud, pathOf(domain, list), list, {
    ...(list.listName !== undefined && { listName: list.listName }),
    createdTimeStamp: new Date(list.createdAt).toISOString(),
    lastUpdatedTimeStamp: new Date(list.changedAt).toISOString(),
    dataLocation: domain.dataLocation,
  })
}

const pathOf = (domain: Domain, list: SuppressionList): string =>
  `emailServices/${domain.emailService}/domains/${domain.name}/suppressionLists/${list.name}`

export function getSuppressionList(call: ArmCall): EmulatedAnswer {
  const domain = parentDomainOf(call)
  const list = domain.suppressionLists.get(call.names[2]!.toLowerCase())
  if (!list) throw notFound(`emailServices/domains/suppressionLists/${call.names[2]}`)
  return { status: 200, json: showList(call.cloud, domain, list) }
}

export function listSuppressionLists(call: ArmCall): EmulatedAnswer {
  const domain = parentDomainOf(call)
  const lists = [...domain.suppressionLists.values()]
  return paged(
    call,
    lists.map((list) => showList(call.cloud, domain, list)),
  )
}

export function deleteSuppressionList(call: ArmCall): EmulatedAnswer {
  const { suppressionLists } = parentDomainOf(call)
  return { status: suppressionLists.delete(call.names[2]!.toLowerCase()) ? 200 : 204 }
}

function parentListOf(call: ArmCall): { domain: Domain; list: SuppressionList } {
  const domain = parentDomainOf(call)
  const list = domain.suppressionLists.get(call.names[2]!.toLowerCase())
  if (!list) throw parentNotFound(call.names.slice(0, 3).join('/'))
  return { domain, list }
}

export function putSuppressed(call: ArmCall): EmulatedAnswer {
  const { domain, list } = parentListOf(call)
  const { email, firstName, lastName, notes } = readBody(call, ADDRESS_BODY).properties
  const name = checkedName(call.names[3]!)
  const isNew = !list.addresses.has(name.toLowerCase())
  const changedAt = call.cloud.settings.now()
  const address = { name, email, firstName, lastName, notes, changedAt }
  list.addresses.set(name.toLowerCase(), address)
  list.changedAt = changedAt
  return { status: isNew ? 201 : 200, json: showAddress(call.cloud, domain, list, address) }
}

function showAddress(
  cloud: Cloud,
  domain: Domain,
  list: SuppressionList,
  { name, changedAt, email, ...optional }: SuppressedAddress,
) {
  const path = `${pathOf(domain, list)}/suppressionListAddresses/${name}`
  const given = Object.entries(optional).filter(([, value]) => value !== undefined)
  return framed(
    cloud,
    path,
    { createdAt: changedAt, changedAt },
    {
      email,
      ...Object.fromEntries(given),
      lastModified: new Date(changedAt).toISOString(),
      dataLocation: domain.dataLocation,
    },
  )
}

export function getSuppressed(call: ArmCall): EmulatedAnswer {
  const { domain, list } = parentListOf(call)
  const address = list.addresses.get(call.names[3]!.toLowerCase())
  if (!address) throw notFound(`emailServices/domains/suppressionLists/${call.names[3]}`)
  return { status: 200, json: showAddress(call.cloud, domain, list, address) }
}

export function listSuppressed(call: ArmCall): EmulatedAnswer {
  const { domain, list } = parentListOf(call)
  const addresses = [...list.addresses.values()]
  return paged(
    call,
    addresses.map((address) => showAddress(call.cloud, domain, list, address)),
  )
}

export function deleteSuppressed(call: ArmCall): EmulatedAnswer {
  const { list } = parentListOf(call)
  return { status: list.addresses.delete(call.names[3]!.toLowerCase()) ? 200 : 204 }
}
