/** zone_ready: the zone host has the zone, and the claim its pair of nameservers. */
import { isAnswer } from '#resolver/parent.ts'
import { CouldNotAsk, met, type Pass, type Step, waiting } from '../step.ts'
import { observeDelegation } from './delegation.ts'

export const zone: Step = {
  async gate(pass) {
    const { domain, ports } = pass
    if (ports.zone.naming === 'pair' && domain.claim.nameservers.length === 0) await drawPair(pass)
    if (!ports.zone.oneZonePerName || !(await ports.custody.isZoneTaken(domain.claim)))
      return undefined
    // Its host has room for one zone of the name: what the parent shows decides whose.
    if (ports.zone.naming === 'pair') await observeDelegation(pass)
    return waiting('name_in_use', `Another claim on ${domain.name} is at the zone host.`)
  },
  async ensure({ domain, ports, signal }) {
    const { nameservers } = await ports.zone.ensureZone(domain.claim, signal)
    if (ports.zone.naming === 'host' && nameservers.join() !== domain.claim.nameservers.join()) {
      await ports.custody.assignPair(domain.claim, nameservers)
      domain.claim = { ...domain.claim, nameservers }
    }
    return met
  },
  async remove({ domain, ports, signal }) {
    await ports.zone.removeZone(domain.claim, signal)
  },
}

async function drawPair(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  const nameservers = await ports.custody.drawPair(domain.claim, await shownNow(pass))
  domain.claim = { ...domain.claim, nameservers }
}

/**
 * What the parent shows before a pair is drawn: a pair it shows already must not be given out, or
 * whoever left it there would have proved nothing. While the parent cannot be asked, none is drawn.
 */
async function shownNow({ domain, ports, signal }: Pass): Promise<readonly string[]> {
  const { answers } = await ports.observer.look(domain.name, 'one', 'asked', signal)
  if (!answers.some(isAnswer)) throw new CouldNotAsk(domain.name)
  const shown = answers.flatMap((answer) => answer.nameservers)
  await ports.custody.noteShown(
    domain.claim,
    shown.some((name) => ports.custody.pool.includes(name)),
  )
  return shown
}
