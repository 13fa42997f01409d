import { parseLocalpart } from '#names/localpart.ts'

/** A requested localpart in its stored form, or why it is refused. */
export const readLocalpart = (written: string) =>
  written.length >= 1 && written.length <= 64
    ? parseLocalpart(written)
    : { refusal: { message: 'must have 1 to 64 characters', type: 'value_error.email_prefix' } }
