/** zone_ready: the zone host has the zone, and the claim its pair of nameservers. */
import { enclosingZone } from '../enclosing.ts'
import { askParentOnce, met, type Pass, type Step, waiting } from '../step.ts'
import type { Verdict } from '../types.ts'
import { publishCustomers } from './customers.ts'
import { observeDelegation, updatePointsAtPool } from './delegation.ts'
import { importRecords } from './import.ts'

export const zone: Step = {
  async gate(pass) {
    const { domain, ports } = pass
    if (ports.zone.naming === 'pair' && domain.claim.nameservers.length === 0) await drawPair(pass)
    return (await importRecords(pass)) ?? (await turnAtHost(pass))
  },
  async ensure(pass) {
    const { domain, ports, signal } = pass
    const { nameservers } = await ports.zone.ensureZone(domain.claim, signal)
    if (ports.zone.naming === 'host' && nameservers.join() !== domain.claim.nameservers.join()) {
      await ports.custody.assignPair(domain.claim, nameservers)
      domain.claim = { ...domain.claim, nameservers }
    }
    await publishCustomers(pass)
    return met
  },
  async remove({ domain, ports, signal }) {
    await ports.zone.removeZone(domain.claim, signal)
    // A new zone gets other names; the old ones must not be shown any more.
    if (ports.zone.naming === 'host') await ports.custody.assignPair(domain.claim, [])
  },
}

/** Why the claim must wait at a host with one zone per name, if so. */
async function turnAtHost(pass: Pass): Promise<Verdict | undefined> {
  const { domain, ports } = pass
  if (!ports.zone.oneZonePerName) return undefined
  if (await ports.custody.isZoneTaken(domain.claim)) {
    // The parent decides which claim gets the zone, by the pair that it shows.
    if (ports.zone.naming === 'pair') pass.report(await observeDelegation(pass))
    return waiting('name_in_use', `Another claim on ${domain.name} is at the zone host.`)
  }
  return ports.zone.naming === 'pair' ? shadowing(pass) : undefined
}

/**
 * A host answers from its longest matching zone: this zone would hide part of the enclosing zone, so it is
 * made only once that zone delegates the name to exactly this pair.
 */
async function shadowing(pass: Pass): Promise<Verdict | undefined> {
  const { domain, ports, signal } = pass
  if (!(await enclosingZone(domain.claim, ports, signal))) return undefined
  const report = await observeDelegation(pass)
  pass.report(report)
  return report.verdict === 'delegated' ? undefined : waiting(report.verdict, report.message)
}

async function drawPair(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  const nameservers = await ports.custody.drawPair(domain.claim, await shownNow(pass))
  domain.claim = { ...domain.claim, nameservers }
}

/**
 * What the parent shows before a pair is drawn: a pair that it already shows would prove nothing, so it
 * must not be drawn. While the parent cannot be asked, none is drawn.
 */
async function shownNow(pass: Pass): Promise<readonly string[]> {
  const answers = await askParentOnce(pass)
  await updatePointsAtPool(pass, answers)
  return answers.flatMap(({ nameservers }) => nameservers)
}
