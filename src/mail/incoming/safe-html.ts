/**
 * The HTML of a message, made safe to show. Runs in a worker: a stranger wrote the message. What is left runs nothing,
 * and loads nothing from other hosts, which would tell them that it was read.
 */
import sanitize from 'sanitize-html'

export type SafeHtml = {
  html: string
  /** Whether the message has more HTML. */
  isCut: boolean
  /** How many images were taken out, because other hosts have them. */
  blockedImages: number
}

/** Of the input; and of the output, where each character may become an entity. */
const READ = 150_000
const WRITTEN = 300_000
const NESTING = 100

// biome-ignore format: a list
const TAGS = [
  'a', 'abbr', 'address', 'article', 'aside', 'b', 'bdi', 'big', 'blockquote', 'br', 'caption', 'center', 'cite', 'code', 'col',
  'colgroup', 'dd', 'del', 'dfn', 'div', 'dl', 'dt', 'em', 'figcaption', 'figure', 'font', 'footer', 'h1', 'h2', 'h3', 'h4', 'h5',
  'h6', 'header', 'hr', 'i', 'img', 'ins', 'kbd', 'li', 'main', 'mark', 'ol', 'p', 'pre', 'q', 's', 'samp', 'section', 'small',
  'span', 'strike', 'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'time', 'tr', 'tt', 'u', 'ul', 'var', 'wbr',
]

/** Whose content is no text for readers, or is parsed by other rules than those of HTML. */
// biome-ignore format: a list
const WITHOUT_CONTENT = [
  'script', 'style', 'title', 'textarea', 'option', 'noscript', 'noembed', 'noframes', 'iframe', 'object', 'template', 'xmp',
  'plaintext', 'svg', 'math', 'audio', 'video', 'canvas',
]

const COLOR = /^(#[0-9a-f]{3,8}|[a-z]{3,25}|rgba?\([\d\s.,%]{1,40}\))$/i
const LENGTH =
  /^(auto|normal|(0|\d{1,4}(\.\d{1,3})?(px|pt|em|rem|%)?)( (0|\d{1,4}(\.\d{1,3})?(px|pt|em|rem|%)?)){0,3})$/i
const WORD = /^[a-z-]{1,20}$/i
const BORDER = /^[a-z0-9#. -]{1,60}$/i

/** No property that moves something over another part of the page, and no value with an address. */
const STYLES = {
  color: [COLOR],
  'background-color': [COLOR],
  'text-align': [WORD],
  'text-decoration': [WORD],
  'font-family': [/^[\w\s,'"-]{1,200}$/],
  'font-size': [LENGTH, WORD],
  'font-style': [WORD],
  'font-weight': [WORD, /^\d{3}$/],
  'line-height': [LENGTH],
  'vertical-align': [WORD],
  'white-space': [WORD],
  ...Object.fromEntries(
    ['margin', 'padding'].flatMap((name) =>
      ['', '-top', '-right', '-bottom', '-left'].map((side) => [name + side, [LENGTH]]),
    ),
  ),
  ...Object.fromEntries(
    ['', '-top', '-right', '-bottom', '-left'].map((side) => [`border${side}`, [BORDER]]),
  ),
  'border-collapse': [WORD],
  width: [LENGTH],
  'max-width': [LENGTH],
  height: [LENGTH],
}

const ATTRIBUTES = {
  '*': ['style', 'align', 'valign', 'dir', 'lang', 'title', 'width', 'height', 'bgcolor'],
  a: ['href', 'rel', 'target'],
  img: ['src', 'alt'],
  font: ['color', 'face', 'size'],
  ol: ['start', 'type'],
  table: ['border', 'cellpadding', 'cellspacing'],
  td: ['colspan', 'rowspan'],
  th: ['colspan', 'rowspan'],
}

/** A link opens apart, and tells its target nothing of this page. */
const LINK = { rel: 'noopener noreferrer nofollow', target: '_blank' }

export function safeHtml(written: string): SafeHtml {
  let blockedImages = 0
  const image = (tagName: string, { src = '', ...attribs }: sanitize.Attributes) => {
    const isAttached = /^cid:[^\s"'<>]{1,255}$/i.test(src.trim())
    if (!isAttached && src.trim() !== '') blockedImages++
    return { tagName, attribs: isAttached ? { ...attribs, src: src.trim() } : attribs }
  }
  const html = sanitize(written.slice(0, READ), {
    allowedTags: TAGS,
    nonTextTags: WITHOUT_CONTENT,
    allowedAttributes: ATTRIBUTES,
    allowedStyles: { '*': STYLES },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowedSchemesByTag: { img: ['cid'] },
    allowProtocolRelative: false,
    nestingLimit: NESTING,
    transformTags: {
      img: image,
      a: (tagName, attribs) => ({ tagName, attribs: { ...attribs, ...LINK } }),
    },
  })
  const isCut = written.length > READ || html.length > WRITTEN
  // Cut elsewhere than between elements it would not be safe.
  return { html: html.length > WRITTEN ? '' : html, isCut, blockedImages }
}
