/** More messages wait than are taken in: the sender is to try again later. */
export class TooBusy extends Error {
  override readonly name = 'TooBusy'
}
