/** The answers that are not about mail objects. */
import type { EmulatedAnswer } from '../server.ts'

const error = (status: number, msg: string): EmulatedAnswer => ({
  status,
  json: { type: 'error', msg },
})

export const NO_ROUTE = error(404, 'route not found')
export const READ_ONLY = error(403, 'API read/write access denied')
export const BAD_JSON = error(400, "Request body doesn't contain valid json!")
/** Status 200, though nothing was done. */
export const NO_ATTRIBUTES = error(200, 'Cannot find attributes in post data')
/** Also 200, when there was nothing to do. */
export const TASK_COMPLETED: EmulatedAnswer = {
  status: 200,
  json: { type: 'success', msg: 'Task completed' },
}
export const NOTHING_TO_SEE: EmulatedAnswer = {
  status: 200,
  headers: { 'content-type': 'application/json' },
}

export const onlyMethod = (method: string): EmulatedAnswer =>
  error(405, `only ${method} method is allowed`)

/** JSON without its content type. */
export const unauthorized = (msg: string): EmulatedAnswer => ({
  status: 401,
  headers: { 'content-type': 'text/html; charset=UTF-8' },
  text: JSON.stringify({ type: 'error', msg }),
})

/** These come from the web server before Mailcow, not from Mailcow itself. */
const page = (status: number, title: string): EmulatedAnswer => ({
  status,
  headers: { 'content-type': 'text/html' },
  text: `<html><head><title>${status} ${title}</title></head><body><h1>${status} ${title}</h1></body></html>`,
})

export const NO_PAGE = page(404, 'Not Found')

export function refusal(status: 401 | 403 | 429 | 500 | 503): EmulatedAnswer {
  switch (status) {
    case 401:
      return unauthorized('authentication failed')
    case 403:
      return READ_ONLY
    case 429:
      return page(429, 'Too Many Requests')
    case 500:
      return page(500, 'Internal Server Error')
    case 503:
      return page(503, 'Service Temporarily Unavailable')
  }
}
