/** Resources, such as rooms, that can be booked: a domain with one is not empty. */
import type { Write } from './entries.ts'
import { escaped, list, text } from './php.ts'
import type { Mailcow } from './state.ts'

export const deleteResource: Write = (mailcow, data, say) =>
  list(data.name).map((item) => {
    const name = text(item)
    if (!mailcow.resources.delete(name)) return say('danger', 'access_denied')
    return say('success', ['resource_removed', escaped(name)])
  })

export const allResources = (mailcow: Mailcow): unknown[] =>
  [...mailcow.resources].map(([name, domain]) => ({
    ...{ name, domain, local_part: name.slice(0, name.indexOf('@')) },
    ...{ description: name, kind: 'location', multiple_bookings: 0, active: 1 },
  }))
