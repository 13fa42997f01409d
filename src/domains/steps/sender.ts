/** sender_registered: the sender service knows the domain and has said which records it needs. */
import { rotateKeys } from '../rotation.ts'
import { met, type Step, waiting } from '../step.ts'

export const sender: Step = {
  async gate({ domain, ports }) {
    if (!(await ports.custody.isHandingOver(domain.claim))) return undefined
    return waiting('handing_over', 'The mail services of the former holder are being taken away.')
  },
  async ensure(pass) {
    const { domain, ports, signal, needs } = pass
    await rotateKeys(pass)
    const found = await ports.sender.ensureDomain(domain.claim, signal)
    if (found.is === 'waiting') return waiting(found.reason, found.message)
    needs.set('sender_registered', found.records)
    return met
  },
  async remove({ domain, ports, signal }) {
    await ports.sender.removeDomain(domain.claim, signal)
  },
}
