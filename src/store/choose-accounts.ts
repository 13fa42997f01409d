import type { StoreContext } from './context.ts'
import type { DomainAccounts } from './domain-passes.ts'
import type { WorldName } from './tables.ts'

/** The accounts that may serve a new domain, one list for each service. */
export type AccountCandidates = { [Service in keyof DomainAccounts]: readonly string[] }

const COLUMNS = { zone: 'zone_driver', sender: 'sender_driver', mailbox: 'mailbox_driver' } as const

/** Chooses, for each service, the account with the fewest domains; of equals, the first. */
export async function chooseAccounts(
  context: StoreContext,
  world: WorldName,
  candidates: AccountCandidates,
): Promise<DomainAccounts> {
  const fewest = (service: keyof DomainAccounts) =>
    leastUsed(context, world, service, candidates[service])
  return {
    zone: await fewest('zone'),
    sender: await fewest('sender'),
    mailbox: await fewest('mailbox'),
  }
}

async function leastUsed(
  { db }: StoreContext,
  world: WorldName,
  service: keyof DomainAccounts,
  accounts: readonly string[],
): Promise<string> {
  if (accounts.length === 1) return accounts[0]!
  const column = COLUMNS[service]
  const rows = await db
    .selectFrom('domains')
    .select((e) => [`${column} as account`, e.fn.countAll<string>().as('count')])
    .where('world', '=', world)
    .where('removed_at', 'is', null)
    .where(column, 'in', [...accounts])
    .groupBy(column)
    .execute()
  const held = new Map(rows.map(({ account, count }) => [account, Number(count)]))
  return accounts.toSorted((a, b) => (held.get(a) ?? 0) - (held.get(b) ?? 0))[0]!
}
