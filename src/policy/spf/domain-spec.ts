/** Checks names in SPF terms: the domain-spec of RFC 7208 section 7.1, with its macros. */
import { isIPv4 } from 'node:net'

// RFC 7208 section 7.1. A transformer of zero labels is an error (section 7.3).
const MACRO = /%(?:\{[a-z](?:0*[1-9]\d*)?r?[.\-+,/_=]*\}|[%_-])/gi
const KNOWN_MACRO = /%\{[slodiphcrtv]|%[%_-]/i
// RFC 7208 section 7.2: these three are allowed only in explanations.
const MACRO_OF_EXPLANATION = /%\{[crt]/i

export const hasMacro = (spec: string): boolean => spec.includes('%')

/** Why the text is no macro-string: the end of a sentence "the term is broken: …". */
export function faultInMacroString(text: string): string | undefined {
  const unknown = (text.match(MACRO) ?? []).find((macro) => !KNOWN_MACRO.test(macro))
  if (unknown !== undefined) return `there is no macro ${unknown}`
  return text.replace(MACRO, '').includes('%') ? 'its "%" begins no macro' : undefined
}

/** Why the text is no domain-spec. Does not judge the expansions of macros, which are unknown. */
export function faultInDomainSpec(spec: string): string | undefined {
  if (spec === '') return 'a domain must follow it'
  const fault = faultInMacroString(spec)
  if (fault !== undefined) return fault
  if (MACRO_OF_EXPLANATION.test(spec)) return 'it has a macro for the text of explanations only'
  const labels = spec.replace(MACRO, 'x').replace(/\.$/, '').split('.')
  if (labels.includes('')) return `"${spec}" has an empty label`
  const tail = spec.slice(spec.lastIndexOf('}') + 1)
  const endsInMacro = hasMacro(spec) && (tail === '' || /%[%_-]$/.test(spec))
  return (
    (endsInMacro ? undefined : faultInEnd(tail)) ?? (hasMacro(spec) ? undefined : faultInName(spec))
  )
}

// RFC 7208 section 7.1, domain-end: the last label has a letter or a hyphen, and one before it.
function faultInEnd(tail: string): string | undefined {
  const name = tail.replace(/\.$/, '')
  if (isIPv4(name)) return `"${name}" is an address, which is written ip4:`
  if (!name.includes('.')) return `"${name}" is no full domain name`
  const last = name.slice(name.lastIndexOf('.') + 1)
  const isTopLabel = /^[a-z0-9-]+$/i.test(last) && !/^-|-$|^\d+$/.test(last)
  return isTopLabel ? undefined : `"${name}" does not end like a domain name`
}

/**
 * The grammar allows every visible character in a name. Host names have only letters, digits, `_`
 * and `-`: a term with other characters, a list of names, say, never matches.
 */
function faultInName(name: string): string | undefined {
  const labels = name.replace(/\.$/, '').split('.')
  if (!labels.every((label) => /^[a-z0-9_-]+$/i.test(label))) return `"${name}" is no domain name`
  // RFC 1035 section 2.3.4.
  if (labels.some((label) => label.length > 63))
    return `"${name}" has a label of more than 63 octets`
  return labels.join('.').length > 253 ? 'its domain name has more than 253 octets' : undefined
}
