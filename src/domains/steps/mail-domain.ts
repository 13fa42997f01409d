/** mail_domain_ready: the mailbox service takes mail for the domain's standing addresses and its inboxes. */
import { reportsLocalpart } from '#names/localpart.ts'
import { failed, met, type Step } from '../step.ts'
import type { Claim } from '../types.ts'

export const mailDomain: Step = {
  async ensure({ domain, ports, signal, needs, refused }) {
    const { records } = await ports.mailbox.ensureDomain(domain.claim, signal)
    needs.set('mail_domain_ready', records)
    const present = new Set(await ports.mailbox.listMailboxes(domain.claim, signal))
    const listed = await ports.inboxes.list(domain)
    const inboxes = new Set(listed.wanted.map(({ localpart }) => localpart))
    for (const localpart of listed.unwanted)
      await ports.mailbox.removeMailbox(domain.claim, localpart, signal)
    const wanted = [...standingLocalparts(domain.claim), ...inboxes]
    for (const localpart of wanted.filter((each) => !present.has(each))) {
      const refusal = await ports.mailbox.ensureMailbox(domain.claim, localpart, signal)
      if (!refusal) continue
      if (!inboxes.has(localpart)) return failed(refusal.reason, refusal.message)
      await ports.inboxes.refused(domain, localpart, refusal)
      refused.add(localpart)
    }
    if (!ports.sender.identities) {
      await ports.inboxes.removed(domain, listed.unwanted)
      await ports.inboxes.ready(
        domain,
        [...inboxes].filter((localpart) => !refused.has(localpart)),
      )
    }
    return met
  },
  async remove({ domain, ports, signal }) {
    await ports.mailbox.removeDomain(domain.claim, signal)
  },
}

/** RFC 2142 sections 4, 5 and 7 ask for the first three; the SOA names the third. */
const standingLocalparts = (claim: Claim): readonly string[] => [
  'postmaster',
  'abuse',
  'hostmaster',
  reportsLocalpart(claim),
]
