/** What a sandbox gives the product. Without one, the product runs live domains only. */
import type { Keys } from '#api/http/auth.ts'
import type { Http } from '#api/http/http.ts'
import type { Endpoint } from '#names/ip.ts'
import type { World } from '../world.ts'
import type { Misbehaviour } from './domain-ports.ts'

export type Sandbox = {
  world: World
  misbehaviour: Misbehaviour
  /** Names that the API refuses to add or register. */
  reserved: readonly string[]
  /** Sets the listeners for incoming mail, which start after the world exists. */
  setInboundPorts(listeners: readonly Endpoint[]): void
  /** Adds the sandbox's own API; `authorize` checks the key of a request. */
  addRoutes(app: Http, authorize: Keys['authorize']): void
}
