/** zone_ready: the claim has its pair of nameservers, and the zone host the zone. */
import { isAnswer } from '#resolver/parent.ts'
import { met, type Pass, type Step } from '../step.ts'

export const zone: Step = {
  async ensure(pass) {
    const { domain, ports, signal } = pass
    if (domain.claim.nameservers.length === 0) {
      const nameservers = await ports.custody.drawPair(domain.claim, await shownNow(pass))
      domain.claim = { ...domain.claim, nameservers }
    }
    await ports.zone.ensureZone(domain.claim, signal)
    return met
  },
  async remove({ domain, ports, signal }) {
    await ports.zone.removeZone(domain.claim, signal)
  },
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

/** The parent's servers gave no usable answer, so nothing is known that was not known before. */
export class CouldNotAsk extends Error {
  override readonly name = 'CouldNotAsk'

  constructor(name: string) {
    super(`The servers above ${name} do not answer at the moment.`)
  }
}
