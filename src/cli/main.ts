/** `npm run mailstead -- …`: commands without an API key, over the admin socket. */
import { createKey } from './create-key.ts'
import { abandonRemoval, listOrphans } from './removals.ts'
import { sendingStatus, startSending, stopSending } from './sending.ts'
import { showConfig } from './show-config.ts'

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = {
  'keys create': createKey,
  'removals abandon': abandonRemoval,
  'removals orphans': listOrphans,
  'sending stop': stopSending,
  'sending start': startSending,
  'sending status': sendingStatus,
  config: showConfig,
}

const USAGE = `mailstead keys create --name NAME [--world sandbox|live] [--scopes SCOPE,…] [--workspace ID]
                        create an API key, and show it once
mailstead removals abandon DOMAIN_ID
                        give up the stages of a removal that wait for outside services
mailstead removals orphans
                        list the stages given up, whose objects may still exist
mailstead sending stop REASON
                        stop all sending of the installation: messages wait, new ones are refused
mailstead sending start
                        let them go
mailstead sending status
                        show whether sending is stopped, since when and why
mailstead config        show every setting, its value and its origin
`

const [first = '', second = '', ...rest] = process.argv.slice(2)
const pair = COMMANDS[`${first} ${second}`]
const single = COMMANDS[first]

if (pair) await run(() => pair(rest))
else if (single) await run(() => single([second, ...rest].filter(Boolean)))
else {
  process.stderr.write(USAGE)
  process.exitCode = 2
}

async function run(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
