/** A sender service whose messages are accepted, limited and recorded like those sent from here. */
import { DriverError } from '#drivers/errors.ts'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { type Acceptance, acceptMessage } from '#store/accept-messages.ts'
import type { StoreContext } from '#store/context.ts'
import { recordHandedOver } from '#store/outgoing-messages.ts'
import { readSendingStop } from '#store/sending-stops.ts'

export function recordedSender(
  driver: SenderDriver,
  store: StoreContext,
  acceptance: Acceptance,
): SenderDriver {
  const note = (mail: OutgoingMail, state: 'sent' | 'deferred' | 'failed', reply: string) =>
    recordHandedOver(store, mail.id, state, acceptance.account, reply)
  return {
    ...driver,
    async send(claim, mail, signal) {
      await acceptMessage(store, claim, mail, acceptance)
      // A probe is accepted all the same: the queue hands it over later.
      if (await readSendingStop(store)) return
      try {
        await driver.send(claim, mail, signal)
      } catch (error) {
        // A new probe replaces a failed one. Any other message is handed over again, under its id.
        const isRepeated = mail.origin !== 'probe' && isWorthAnotherTry(error)
        await note(mail, isRepeated ? 'deferred' : 'failed', sentenceOf(error))
        if (isRepeated) return
        throw error
      }
      await note(mail, 'sent', 'taken over')
    },
  }
}

/** Errors of the message, and lasting ones of the account, stay. */
export const isWorthAnotherTry = (error: unknown): boolean =>
  !(error instanceof DriverError) || error.kind === 'unavailable' || error.kind === 'throttled'

export const sentenceOf = (error: unknown): string =>
  error instanceof DriverError ? error.message : 'The service did not answer.'
