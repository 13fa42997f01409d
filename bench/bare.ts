/**
 * The baseline of `handler`, in its own process: a route that reads a domain and its conditions by index
 * and sends the rows unchanged; and one that makes the product's queries.
 */
import fastify from 'fastify'
import { Pool } from 'pg'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'

const [url] = process.argv.slice(2)
// As many connections as the product.
const pool = new Pool({ connectionString: url!, max: 16 })
const app = fastify()

const rowsOf = async (text: string, ...values: string[]) => (await pool.query(text, values)).rows

async function twoQueries(id: string) {
  const [domain] = await rowsOf(
    `select * from domains
      where id = $1 and workspace_id = $2 and world = 'sandbox' and removal_requested_at is null`,
    id,
    FIRST_WORKSPACE,
  )
  return { domain, conditions: await rowsOf('select * from conditions where domain_id = $1', id) }
}

/** The product's queries, verbatim, except the one for the key's workspace. */
async function sameQueries(id: string) {
  const [domain] = await rowsOf(
    `select d.*, coalesce((select jsonb_agg(k) from conditions k where k.domain_id = d.id), '[]') as conditions
       from domains d
      where d.id = $1 and workspace_id = $2 and world = 'sandbox' and removal_requested_at is null`,
    id,
    FIRST_WORKSPACE,
  )
  const [belongings] = await rowsOf(
    `select c.nameservers,
            (select count(*)::int from inboxes i
              where i.domain_id = c.domain_id and i.removed_at is null) as inboxes,
            coalesce((select jsonb_agg(r order by r.id) from records r
                       where r.domain_id = c.domain_id), '[]') as records,
            coalesce((select jsonb_agg(o order by o.id) from customer_records o
                       where o.domain_id = c.domain_id and o.origin = 'imported'
                         and o.removed_at is null), '[]') as imported
       from claims c where c.domain_id = $1`,
    id,
  )
  return { domain, belongings }
}

type Named = { Params: { id: string } }
app.get<Named>('/two/:id', ({ params }) => twoQueries(params.id))
app.get<Named>('/same/:id', ({ params }) => sameQueries(params.id))
process.send!(await app.listen({ host: '127.0.0.1', port: 0 }))
process.once('disconnect', () => process.exit())
