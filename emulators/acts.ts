/**
 * Commands that change an emulated service from outside, sent over HTTP when an emulator runs by hand:
 * one JSON object each, `act` and its arguments. Tests in the same process call the emulator instead.
 */
import { z } from 'zod'
import type { AzureEmulator } from './azure/emulator.ts'
import { DELIVERY_STATUSES } from './azure/events.ts'
import { VERIFICATION_TYPES } from './azure/state.ts'
import type { CloudflareEmulator } from './cloudflare/emulator.ts'
import type { MailcowEmulator } from './mailcow/emulator.ts'
import type { EmulatedAnswer } from './server.ts'

/** Returns the result, if any; throws when the command fails. */
type Act = (given: unknown) => unknown
export type Acts = Readonly<Record<string, Act>>

const act =
  <Shape extends z.ZodRawShape>(
    shape: Shape,
    run: (given: z.infer<z.ZodObject<Shape, z.core.$strict>>) => unknown,
  ): Act =>
  (given) =>
    run(z.strictObject(shape).parse(given))

const plain = (run: () => unknown): Act => act({}, run)

const times = z.int().min(1).optional()

export const azureActs = (azure: AzureEmulator): Acts => ({
  ...keyActs(azure),
  ...rightActs(azure),
  block_sending: plain(() => azure.blockSending()),
  unblock_sending: plain(() => azure.unblockSending()),
  refuse_usernames: plain(() => azure.refuseUsernames()),
  allow_usernames: plain(() => azure.allowUsernames()),
  stick: act(
    {
      domain: z.string(),
      type: z.enum(VERIFICATION_TYPES),
      times,
      as: z.enum(['VerificationInProgress', 'NotStarted']).optional(),
    },
    ({ domain, type, ...how }) => azure.stick(domain, type, present(how)),
  ),
  subscribe: act({ url: z.url() }, ({ url }) => azure.subscribe(url)),
  sent: plain(() => azure.sent.map(({ raw: _, ...message }) => message)),
  report: act(
    {
      operation: z.string(),
      status: z.enum(DELIVERY_STATUSES),
      recipient: z.string().optional(),
      times,
    },
    ({ operation, status, ...how }) => azure.reportDelivery(operation, status, present(how)),
  ),
})

export const cloudflareActs = (cloudflare: CloudflareEmulator): Acts => ({
  ...keyActs(cloudflare),
  ...rightActs(cloudflare),
  forbid_redirects: plain(() => cloudflare.forbidRedirects()),
  allow_redirects: plain(() => cloudflare.allowRedirects()),
  activate: act({ zone: z.string() }, ({ zone }) => cloudflare.activate(zone)),
  move: act({ zone: z.string() }, ({ zone }) => cloudflare.move(zone)),
  hold_elsewhere: act({ zone: z.string() }, ({ zone }) => cloudflare.otherAccountHolds(zone)),
})

const container = z.enum(['sogo', 'dovecot'])

export const mailcowActs = (mailcow: MailcowEmulator): Acts => ({
  ...keyActs(mailcow),
  break: act({ container }, (given) => void mailcow.down.add(given.container)),
  mend: act({ container }, (given) => void mailcow.down.delete(given.container)),
})

const keyActs = (emulator: { revoke(): void; restore(): void; holdings(): object }): Acts => ({
  holdings: plain(() => emulator.holdings()),
  revoke: plain(() => emulator.revoke()),
  restore: plain(() => emulator.restore()),
})

const rightActs = (emulator: { forbid(): void; allow(): void }): Acts => ({
  forbid: plain(() => emulator.forbid()),
  allow: plain(() => emulator.allow()),
})

/** The given fields, without undefined ones. */
const present = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }

const written = z.looseObject({ act: z.string() })

/** Runs the command in the body; answers 204, 200 with the result, or 400 with the error. */
export async function answerAct(acts: Acts, body: string): Promise<EmulatedAnswer> {
  try {
    const { act: name, ...fields } = written.parse(JSON.parse(body))
    const found = Object.hasOwn(acts, name) ? acts[name] : undefined
    if (!found)
      throw new Error(`There is no act ${name}; there are ${Object.keys(acts).join(', ')}.`)
    const told = await found(fields)
    return told === undefined ? { status: 204 } : { status: 200, json: told }
  } catch (error) {
    return { status: 400, json: { detail: sentenceOf(error) } }
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}
