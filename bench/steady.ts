/** Asks at a steady rate, whether or not earlier requests were answered. */
import { setTimeout as delay } from 'node:timers/promises'

const SECONDS = 10
/** These open connections and compile code. */
const WARM_UP_SECONDS = 5

/** The milliseconds that each request took, but for the first ones. */
export async function steady(
  ask: () => Promise<{ status: number }>,
  perSecond: number,
  signal: AbortSignal,
): Promise<number[]> {
  const values: number[] = []
  const under: Promise<void>[] = []
  const warmUp = WARM_UP_SECONDS * perSecond
  for (let index = 0; index < warmUp + SECONDS * perSecond; index++) {
    const began = performance.now()
    const one = async () => {
      const { status } = await ask()
      if (status >= 300) throw new Error(`answered ${status}`)
      if (index >= warmUp) values.push(performance.now() - began)
    }
    under.push(one())
    await delay(1000 / perSecond, undefined, { signal })
  }
  await Promise.all(under)
  return values
}
