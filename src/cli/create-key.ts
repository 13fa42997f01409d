import { request } from 'node:http'
import { parseArgs } from 'node:util'
import { adminSocketPath } from '#house/admin-path.ts'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { readConfig } from '../config.ts'

const ANSWER_LIMIT_MS = 10_000

/** Makes an API key through the running product and prints it. */
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
  const { dataDir } = readConfig(process.env)
  const { status, body } = await post(adminSocketPath(dataDir), '/keys', wanted)
  if (status !== 201) throw new Error(`The key was not made: ${JSON.stringify(body.detail)}`)
  process.stdout.write(`${body.key}\n`)
}

/** One JSON request over a Unix socket. */
function post(
  socketPath: string,
  path: string,
  content: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const outgoing = request(
      { socketPath, path, method: 'POST', headers, timeout: ANSWER_LIMIT_MS },
      (answer) => {
        let text = ''
        answer.on('data', (chunk) => {
          text += chunk
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }))
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('Mailstead does not answer.')))
    outgoing.on('error', () =>
      reject(new Error(`Mailstead does not run here: nothing answers at ${socketPath}.`)),
    )
    outgoing.end(JSON.stringify(content))
  })
}
