/** Too many messages wait: the client is asked to try again later. */
export class TooBusy extends Error {
  override readonly name = 'TooBusy'
}
