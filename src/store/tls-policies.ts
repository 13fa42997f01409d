import type { TlsPolicyStore } from '#mail/outgoing/tls-policies.ts'
import type { StoreContext } from './context.ts'

/** The TLS policies of destinations, for all processes and over restarts. */
export function tlsPolicyStore({ db }: StoreContext): TlsPolicyStore {
  return {
    async find(domain) {
      const found = await db
        .selectFrom('tls_policies')
        .select('policy')
        .where('domain', '=', domain)
        .executeTakeFirst()
      return found?.policy
    },
    async keep(domain, policy) {
      const values = {
        policy: JSON.stringify(policy) as never,
        expires_at: new Date(policy.expires ?? 0),
      }
      await db
        .insertInto('tls_policies')
        .values({ domain, ...values })
        .onConflict((c) => c.column('domain').doUpdateSet(values))
        .execute()
    },
  }
}
