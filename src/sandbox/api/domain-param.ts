import { z } from 'zod'
import { Invalid } from '#api/http/problems.ts'
import { parseDomainName } from '#names/domain-name.ts'

/** The `{domain}` of the sandbox's paths; a name written otherwise is the same name. */
export const domainParam = z.object({ domain: z.string().max(1000) })

/** The name in the product's usual form; 422 if invalid. */
export function nameIn(params: z.infer<typeof domainParam>): string {
  const parsed = parseDomainName(params.domain)
  if ('name' in parsed) return parsed.name
  throw invalidDomain(parsed.refusal.message)
}

export const invalidDomain = (msg: string): Invalid =>
  new Invalid([{ loc: ['path', 'domain'], msg, type: 'value_error.domain' }])
