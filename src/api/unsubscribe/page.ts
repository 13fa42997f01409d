/** The pages of a link to unsubscribe: plain HTML that needs no script. */
import { createHash } from 'node:crypto'

const STYLE =
  'body{font:1.1em/1.5 sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}button{font:inherit;padding:.5em 1em}'
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Nobody keeps the page, and whatever follows it does not learn the token. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex, nofollow',
} as const

/** Asks for a click: whatever only follows links changes nothing. */
export const questionPage = (address: string | undefined): string =>
  page(
    'Unsubscribe',
    `<p>Do you want no more mail from the sender of this message${to(address)}?</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>`,
  )

export const donePage = (address: string | undefined): string =>
  page('Unsubscribed', `<p>The sender of this message sends no more mail${to(address)}.</p>`)

export const UNKNOWN_PAGE = page(
  'This link is not complete',
  '<p>Perhaps a part of it is missing. Open it from the message again.</p>',
)

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1>
${body}
</body></html>
`
}

const to = (address: string | undefined): string =>
  address === undefined ? '' : ` to ${asText(masked(address))}`

/** Hides most of the address: a forwarded message must not show it to its reader. */
function masked(address: string): string {
  const at = address.lastIndexOf('@')
  const [first = ''] = address.slice(0, at)
  return `${first}…${address.slice(at)}`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const asText = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)
