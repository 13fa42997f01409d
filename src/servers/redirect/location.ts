/** Where a redirect leads: a fixed host, followed by the visitor's path and query. */

/** `targetDomain` is a host name without trailing dot. */
export type Redirect = {
  targetDomain: string
  statusCode: number
  preservePath: boolean
  preserveQueryString: boolean
}

/** The target of a request. `host` is undefined where the Host field names it. */
export type RequestTarget = { host: string | undefined; path: string; query: string | undefined }

/**
 * RFC 9112 section 3.2: a path, or a whole URL as proxies receive it; undefined for every other form.
 * What looks like an authority later in the text belongs to the path.
 */
export function parseRequestTarget(written: string): RequestTarget | undefined {
  const [, host, rest = ''] = /^https?:\/\/([^/?#\\@]+)(.*)$/is.exec(written) ?? []
  const onHost = host === undefined ? written : rest
  if (host !== undefined && (onHost === '' || onHost.startsWith('?'))) {
    return { host, path: '/', query: onHost.slice(1) || undefined }
  }
  if (!onHost.startsWith('/')) return undefined
  const at = onHost.indexOf('?')
  if (at === -1) return { host, path: onHost, query: undefined }
  return { host, path: onHost.slice(0, at), query: onHost.slice(at + 1) }
}

/**
 * The Location (RFC 9110 section 10.2.2). It always begins with scheme, host and a slash, so that no
 * input of a visitor can change the host.
 */
export function locationOf(redirect: Redirect, { path, query }: RequestTarget): string {
  const kept = redirect.preservePath ? inUri(path) : '/'
  const asked = redirect.preserveQueryString && query !== undefined ? `?${inUri(query)}` : ''
  return `https://${redirect.targetDomain}${kept}${asked}`
}

/** RFC 3986 section 2: percent-encodes octets that no URI may contain. */
const inUri = (text: string): string =>
  Buffer.from(text, 'latin1')
    .toString('latin1')
    .replace(/[^A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]/g, (character) => {
      const octet = character.charCodeAt(0).toString(16).toUpperCase()
      return `%${octet.padStart(2, '0')}`
    })

/** The name in a Host field, without its port, in our form. */
export const hostName = (host: string): string =>
  host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
