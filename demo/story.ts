/** The story: a shop's domain is added, gets its mail, and is removed without a trace. */
import { exchangeMail } from './chapters/mail.ts'
import { proveNothingIsLeft, takeAway } from './chapters/removal.ts'
import { addDomain, askTheNameserver, readVerdicts, setNameservers } from './chapters/set-up.ts'
import { Client } from './client.ts'
import { type Product, startProduct } from './product.ts'
import { inSeconds, type Screen } from './screen.ts'
import type { Teller } from './teller.ts'

/** Throws `Unexpected` at the first step that goes wrong, and leaves nothing running. */
export async function tell(screen: Screen, stop: AbortSignal): Promise<void> {
  const beganAt = performance.now()
  screen.title('Mailstead: a domain comes, gets its mail, and goes again.')
  screen.say(
    'All of it is real HTTP, DNS and SMTP, between this machine and itself; the',
    'rest of the internet is played by the sandbox, on loopback addresses.',
  )
  await using product = await start(screen, stop)
  const signal = AbortSignal.any([stop, product.lost])
  const times = new Map([['Start-up, with a new database', product.startedInMs]])
  const teller = { screen, product, client: new Client(product, signal), signal, times }

  const shop = await addDomain(teller)
  await setNameservers(teller, shop)
  await askTheNameserver(teller, shop)
  await readVerdicts(teller, shop)
  const address = await exchangeMail(teller, shop)
  await takeAway(teller, shop)
  await proveNothingIsLeft(teller, shop, address)
  printTimes(teller, performance.now() - beganAt)
}

async function start(screen: Screen, stop: AbortSignal): Promise<Product> {
  screen.chapter('1. Start the product')
  screen.act('npm start     (here on free ports, in a temporary directory)')
  const beganAt = performance.now()
  let ready: Product | undefined
  const starting = startProduct(stop).then((product) => {
    ready = product
    return product
  })
  const product = await screen.during(starting, () => [
    ready
      ? { text: 'Mailstead is ready', is: 'done', ms: ready.startedInMs }
      : { text: 'Mailstead starts', is: 'now', ms: performance.now() - beganAt },
  ])
  screen.quote(`API   ${product.api}`, `DNS   ${product.dns}`, `SMTP  ${product.smtp}`)
  screen.say('With its first start came a first test key, in a file; it is used below.')
  return product
}

function printTimes({ screen, times }: Teller, totalMs: number): void {
  screen.chapter('How long it took')
  for (const [what, ms] of [...times, ['All of it', totalMs] as const])
    screen.say(`${what.padEnd(56)} ${inSeconds(ms).padStart(8)}`)
}
