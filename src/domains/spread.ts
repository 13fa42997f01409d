/** A number in [0, 1) that stays the same for an id: what is due for many is spread evenly over time. */
export const spread = (id: string): number => Number.parseInt(id.slice(-4), 16) / 0x10000
