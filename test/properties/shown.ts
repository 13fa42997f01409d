/** What the zone above a name shows for it, worked out from rows alone and not by asking. */

export type Shown = { nameservers: readonly string[]; hasDs: boolean }
export type ServedRRsets = readonly { name: string; type: string; data: readonly string[] }[]

type Rows = {
  holders: ReadonlyMap<string, string>
  zones: ReadonlyMap<string, { rrsets: ServedRRsets }>
  published: readonly { name: string; nameservers: readonly string[]; ds: readonly string[] }[]
}

/** Undefined where the name lies below one that is delegated, but not to a zone that is held here. */
export function shownFor(name: string, { holders, zones, published }: Rows): Shown | undefined {
  const above = name.split('.').slice(1).join('.')
  const enclosing = zones.get(holders.get(above) ?? '')
  if (enclosing) {
    const cut = enclosing.rrsets.find((each) => each.name === `${name}.` && each.type === 'NS')
    const nameservers = (cut?.data ?? []).map((each) => each.replace(/\.$/, '')).toSorted()
    return { nameservers, hasDs: false }
  }
  if (published.some((each) => each.name === above)) return undefined
  const own = published.find((each) => each.name === name)
  return { nameservers: own?.nameservers.toSorted() ?? [], hasDs: (own?.ds.length ?? 0) > 0 }
}
