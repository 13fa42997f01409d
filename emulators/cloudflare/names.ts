/** Assigns the names of nameservers, two for each zone. */
import type { World } from './world.ts'

const FIRST = [
  'ada',
  'bella',
  'cora',
  'dora',
  'elma',
  'fay',
  'gina',
  'hera',
  'iris',
  'june',
  'kate',
]
const SECOND = ['abel', 'bob', 'cash', 'dean', 'earl', 'finn', 'guy', 'hank', 'ivan', 'jim']

const MAX_DRAWS = 4

/** A name added again after its removal gets two others than the last time. */
export function drawNameservers(world: World, name: string): readonly [string, string] {
  const last: readonly string[] = world.given.get(name) ?? []
  let drawn = nextPair(world)
  for (let draws = 1; draws < MAX_DRAWS; draws++) {
    if (!drawn.some((host) => last.includes(host))) break
    drawn = nextPair(world)
  }
  world.given.set(name, drawn)
  return drawn
}

/** The lists differ in length, so that a pair repeats only after all others. */
function nextPair(world: World): readonly [string, string] {
  const index = world.pairsDrawn++
  const first = FIRST[index % FIRST.length]!
  const second = SECOND[index % SECOND.length]!
  return [`${first}.${world.nameserverZone}`, `${second}.${world.nameserverZone}`]
}
