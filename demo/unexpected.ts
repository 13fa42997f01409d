/** Something went wrong; the message explains it to the user in sentences. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected'
}

export function expect(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Unexpected(otherwise)
}
