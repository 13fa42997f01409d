/** Zones: creates, shows, checks and deletes them. */
import { parseDomainName } from '#names/domain-name.ts'
import { Refused, type Reply } from './answers.ts'
import { type Call, zoneOf } from './call.ts'
import { bodyOf, isGiven } from './given.ts'
import { drawNameservers } from './names.ts'
import { pageOf, zonesAsked } from './query.ts'
import { type HeldZone, newId, type World, zoneNamed } from './world.ts'

const PAGES = { usual: 20, most: 50 }

export function listZones({ world, request }: Call): Reply {
  // A token without rights is not refused: it gets an empty list.
  const visible = world.isForbidden ? [] : [...world.zones.values()]
  const asked = zonesAsked(visible, request.query, world.accountId)
  const { members, info } = pageOf(asked, request.query, { ...PAGES, limit: world.limits.page })
  return { result: members.map((zone) => zoneResult(world, zone)), info }
}

export function createZone({ world, request }: Call): Reply {
  const { account, name: written, type = 'full' } = bodyOf(request)
  const isOurs = isGiven(account) && account.id === world.accountId
  if (world.isForbidden || !isOurs) throw new Refused('may_not_create')
  if (type !== 'full') throw new Refused('zone_type_refused', String(type))
  const name = zoneName(world, written)
  if (zoneNamed(world, name) || world.heldElsewhere.has(name)) {
    throw new Refused('zone_exists', name)
  }
  const zone = newZone(world, name)
  world.zones.set(zone.id, zone)
  world.publish(zone)
  return { result: zoneResult(world, zone) }
}

function zoneName(world: World, written: unknown): string {
  if (typeof written !== 'string') throw new Refused('zone_name_invalid', String(written))
  const parsed = parseDomainName(written)
  if ('refusal' in parsed) {
    throw new Refused(isSuffix(written) ? 'zone_unregistrable' : 'zone_name_invalid', written)
  }
  const { name } = parsed
  if (world.banned.has(name)) throw new Refused('zone_banned')
  const isRoot = isSuffix(name.slice(name.indexOf('.') + 1))
  if (!isRoot && !world.takesSubdomains) throw new Refused('zone_not_root')
  return name
}

/** Well-formed, but a public suffix: names directly below it can be registered, it cannot. */
const isSuffix = (name: string): boolean =>
  'refusal' in parseDomainName(name) && 'name' in parseDomainName(`a.${name}`)

function newZone(world: World, name: string): HeldZone {
  const now = world.now().toISOString()
  return {
    id: newId(),
    name,
    nameservers: drawNameservers(world, name),
    status: 'pending',
    createdOn: now,
    modifiedOn: now,
    activatedOn: null,
    checkedAtMs: undefined,
    serial: 1,
    records: new Map(),
    redirects: undefined,
  }
}

export function readZone(call: Call): Reply {
  return { result: zoneResult(call.world, zoneOf(call)) }
}

export function removeZone(call: Call): Reply {
  const zone = zoneOf(call)
  call.world.zones.delete(zone.id)
  call.world.withdraw(zone)
  return { result: { id: zone.id } }
}

/** Only notes the request: the emulator's user decides what a check finds. */
export function checkActivation(call: Call): Reply {
  const zone = zoneOf(call)
  const { limits, now } = call.world
  if (zone.status !== 'pending') throw new Refused('check_not_pending')
  const nowMs = now().getTime()
  if (zone.checkedAtMs !== undefined && nowMs - zone.checkedAtMs < limits.checkEveryMs) {
    throw new Refused('check_too_early')
  }
  zone.checkedAtMs = nowMs
  return { result: { id: zone.id } }
}

const FREE_PLAN = {
  id: '0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee',
  name: 'Free Website',
  price: 0,
  currency: 'USD',
  frequency: '',
  is_subscribed: false,
  can_subscribe: false,
  legacy_id: 'free',
  legacy_discount: false,
  externally_managed: false,
}

/** The emulator does not know where the domain was before, so the three `original_` fields are null. */
const zoneResult = ({ accountId }: World, zone: HeldZone) => ({
  id: zone.id,
  name: zone.name,
  status: zone.status,
  paused: false,
  type: 'full',
  development_mode: 0,
  name_servers: zone.nameservers,
  original_name_servers: null,
  original_registrar: null,
  original_dnshost: null,
  modified_on: zone.modifiedOn,
  created_on: zone.createdOn,
  activated_on: zone.activatedOn,
  meta: { step: 2, custom_certificate_quota: 0, page_rule_quota: 3, phishing_detected: false },
  owner: { id: accountId, type: 'organization', name: 'Emulated account' },
  account: { id: accountId, name: 'Emulated account' },
  permissions: ['#dns_records:edit', '#dns_records:read', '#zone:edit', '#zone:read'],
  plan: FREE_PLAN,
})
