/** The arguments of a route. */
import type { EmulatedRequest } from '../server.ts'
import { Refused, type Reply } from './answers.ts'
import type { HeldZone, World } from './world.ts'

export type Call = {
  world: World
  request: EmulatedRequest
  /** The variable parts of the path, by name. */
  params: Readonly<Record<string, string>>
}

export type Handler = (call: Call) => Reply

export function zoneOf({ world, params }: Call): HeldZone {
  const zone = world.zones.get(params.zone!)
  if (zone === undefined) throw new Refused('zone_absent')
  return zone
}
