import { parseArgs } from 'node:util'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { callAdminApi } from './admin-client.ts'

/** Creates an API key in the running process, and prints it. */
export async function createKey(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      name: { type: 'string', default: 'made at the command line' },
      world: { type: 'string', default: 'sandbox' },
      scopes: { type: 'string', default: '*' },
      workspace: { type: 'string', default: FIRST_WORKSPACE },
    },
  })
  const wanted = {
    name: values.name,
    world: values.world,
    scopes: values.scopes.split(','),
    workspace_id: values.workspace,
  }
  const { status, body } = await callAdminApi('POST', '/keys', wanted)
  if (status !== 201) throw new Error(`Mailstead created no key: ${JSON.stringify(body.detail)}`)
  process.stdout.write(`${body.key}\n`)
}
