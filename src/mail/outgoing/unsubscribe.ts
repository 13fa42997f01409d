/**
 * One-click unsubscribe: the two header fields of a message, and the token in its link. A token works for ever, also when
 * the message is no longer stored: it carries all that the unsubscription needs. Pure.
 */
import { timingSafeEqual } from 'node:crypto'

/** Who gets no more mail from whom, and the message that had the link. */
export type Unsubscription = {
  workspaceId: string
  world: 'live' | 'sandbox'
  messageId: string
  /** By which the recipient is found among the suppressions: 32 octets. */
  recipientHash: Buffer
}

/** A keyed hash of a text, under the secret of the installation. */
export type Mac = (text: string) => Buffer

/** The path of the web page of a token. */
export const UNSUBSCRIBE_PATH = '/u/'

const VERSION = 1
const WORLDS = ['live', 'sandbox'] as const
/** Version, world, workspace, message, recipient. */
const PAYLOAD_OCTETS = 1 + 1 + 16 + 16 + 32
/** 128 bits of the hash cannot be guessed over the network. */
const MAC_OCTETS = 16
const TOKEN = /^[A-Za-z0-9_-]{110}$/

export function unsubscribeToken(of: Unsubscription, mac: Mac): string {
  const payload = Buffer.concat([
    Buffer.of(VERSION, WORLDS.indexOf(of.world)),
    octetsOf(of.workspaceId),
    octetsOf(of.messageId),
    of.recipientHash,
  ])
  return Buffer.concat([payload, sealOf(payload, mac)]).toString('base64url')
}

/** Undefined for a token that this installation did not make. */
export function readUnsubscribeToken(token: string, mac: Mac): Unsubscription | undefined {
  if (!TOKEN.test(token)) return undefined
  const octets = Buffer.from(token, 'base64url')
  const payload = octets.subarray(0, PAYLOAD_OCTETS)
  const isOurs = timingSafeEqual(octets.subarray(PAYLOAD_OCTETS), sealOf(payload, mac))
  // Several texts may stand for the same octets: only the one that we wrote is the token.
  if (!isOurs || octets.toString('base64url') !== token) return undefined
  const world = WORLDS[payload[1]!]
  if (payload[0] !== VERSION || world === undefined) return undefined
  return {
    world,
    workspaceId: uuidOf(payload.subarray(2, 18)),
    messageId: uuidOf(payload.subarray(18, 34)),
    recipientHash: Buffer.from(payload.subarray(34)),
  }
}

/** RFC 8058 section 3.1: an HTTPS link in List-Unsubscribe (RFC 2369 section 3.2), and that a POST to it is enough. */
export const unsubscribeHeaders = (url: string): Record<string, string> => ({
  'List-Unsubscribe': `<${url}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
})

const sealOf = (payload: Buffer, mac: Mac): Buffer =>
  mac(`unsubscribe ${payload.toString('base64url')}`).subarray(0, MAC_OCTETS)

const octetsOf = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex')

const uuidOf = (octets: Buffer): string =>
  octets.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
