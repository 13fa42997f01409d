/** Something did not go as it should; the message says what, in sentences for whoever watches. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected'
}

export function expect(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Unexpected(otherwise)
}
