import type { Client } from './client.ts'
import type { Product } from './product.ts'
import type { Screen } from './screen.ts'

/** Who tells the story, and with what. */
export type Teller = {
  screen: Screen
  product: Product
  client: Client
  /** Ends the story early; its reason says why. */
  signal: AbortSignal
  /** What took how long, for the table at the end. */
  times: Map<string, number>
}
