import type { Client } from './client.ts'
import type { Product } from './product.ts'
import type { Screen } from './screen.ts'

/** The output, the product and the results that all chapters share. */
export type Teller = {
  screen: Screen
  product: Product
  client: Client
  /** Ends the story early; its reason says why. */
  signal: AbortSignal
  /** Durations, for the table at the end. */
  times: Map<string, number>
}
