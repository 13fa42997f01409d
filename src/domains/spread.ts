/** A fixed number in [0, 1) for an id, which spreads the work of many ids evenly over time. */
export const spread = (id: string): number => Number.parseInt(id.slice(-4), 16) / 0x10000
