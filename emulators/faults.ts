/** Injected faults: which call goes wrong, and how. */
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { EmulatedAnswer, EmulatedRequest, EmulatorOptions } from './server.ts'

/**
 * How a call goes wrong. `throttled` is a 429 without Retry-After, `throttled_for_1s` one with it;
 * `broken` a 503 before the call took effect, `broken_after` one after it; `lost` and `lost_after` cut
 * the connection instead; `slow` answers late, and `hangs` never; `html`, `empty` and `half` answer 200
 * with a page, nothing, or half of the real body; `html_404`, `empty_404` and `other_404` answer 404
 * with a page, nothing, or another service's words, as a proxy does; `unauthorized` and `forbidden` are
 * 401 and 403.
 */
export const FAULTS = [
  'throttled',
  'throttled_for_1s',
  'broken',
  'broken_after',
  'lost',
  'lost_after',
  'slow',
  'hangs',
  'html',
  'empty',
  'half',
  'html_404',
  'empty_404',
  'other_404',
  'unauthorized',
  'forbidden',
] as const
export type FaultKind = (typeof FAULTS)[number]

export type Fault = {
  kind: FaultKind
  /** Only calls with this method; by default all. */
  method?: string
  /** Only calls whose target contains this; by default all. */
  target?: string
  /** Only calls whose target or body contains this, such as a domain's name; by default all. */
  about?: string
  /** Lets so many matching calls through first. */
  after?: number
  times?: number
}

/** Called for every request before and after it takes effect; a test may end a process here. */
export type Witness = (request: EmulatedRequest, when: 'before' | 'after') => Promise<void> | void

/** Replaces an answer: by one with a new state, or with another object's data. */
export type Forger = (answer: EmulatedAnswer, request: EmulatedRequest) => EmulatedAnswer

export type Faults = {
  add(fault: Fault): void
  /** Adds a fault from JSON; returns what is wrong with it. */
  addWritten(json: string): string | undefined
  clear(): void
  /** The faults that no call has matched yet. */
  unmet(): readonly Fault[]
  witness: Witness | undefined
  forger: Forger | undefined
  meet(
    request: EmulatedRequest,
    outgoing: ServerResponse,
    handle: () => Promise<EmulatedAnswer>,
    write: (outgoing: ServerResponse, answer: EmulatedAnswer) => void,
  ): Promise<void>
}

const SLOW_MS = 1500
const PAGE = '<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>'

export function createFaults(refusal: EmulatorOptions['refusal']): Faults {
  let waiting: (Fault & { after: number; times: number })[] = []
  const take = (request: EmulatedRequest): FaultKind | undefined => {
    for (const fault of waiting) {
      if (fault.times <= 0 || !concerns(fault, request)) continue
      if (fault.after-- > 0) continue
      fault.times -= 1
      return fault.kind
    }
    return undefined
  }
  const before: Partial<Record<FaultKind, EmulatedAnswer>> = {
    throttled: refusal(429),
    throttled_for_1s: withRetryAfter(refusal(429)),
    broken: refusal(503),
    unauthorized: refusal(401),
    forbidden: refusal(403),
    html: { status: 200, headers: { 'content-type': 'text/html' }, text: PAGE },
    empty: { status: 200 },
    html_404: { status: 404, headers: { 'content-type': 'text/html' }, text: PAGE },
    empty_404: { status: 404 },
    other_404: { status: 404, json: { message: 'no Route matched with those values' } },
  }
  return {
    witness: undefined,
    forger: undefined,
    add(fault) {
      waiting.push({ after: 0, times: 1, ...fault })
    },
    addWritten(json) {
      const fault = parse(json)
      if (typeof fault === 'string') return fault
      this.add(fault)
      return undefined
    },
    clear() {
      waiting = []
      this.forger = undefined
    },
    unmet: () => waiting.filter(({ times }) => times > 0),
    async meet(request, outgoing, handle, write) {
      const kind = take(request)
      await this.witness?.(request, 'before')
      if (kind === 'hangs') return
      if (kind === 'lost') return void outgoing.destroy()
      const instead = kind && before[kind]
      if (instead) return write(outgoing, instead)
      if (kind === 'slow') await delay(SLOW_MS)
      const real = await handle()
      const answer = this.forger?.(real, request) ?? real
      await this.witness?.(request, 'after')
      if (kind === 'lost_after') return void outgoing.destroy()
      if (kind === 'broken_after') return write(outgoing, refusal(503))
      write(outgoing, kind === 'half' ? halved(answer) : answer)
    },
  }
}

const concerns = ({ method, target, about }: Fault, request: EmulatedRequest): boolean =>
  (method === undefined || method === request.method) &&
  (target === undefined || request.target.includes(target)) &&
  (about === undefined || request.target.includes(about) || request.body.includes(about))

const withRetryAfter = (answer: EmulatedAnswer): EmulatedAnswer => ({
  ...answer,
  headers: { ...answer.headers, 'retry-after': '1' },
})

function halved(answer: EmulatedAnswer): EmulatedAnswer {
  const text = answer.json === undefined ? (answer.text ?? '') : JSON.stringify(answer.json)
  const { json: _json, ...rest } = answer
  const headers = { 'content-type': 'application/json', ...answer.headers }
  return { ...rest, headers, text: text.slice(0, text.length / 2) }
}

function parse(json: string): Fault | string {
  try {
    const fault: Fault = JSON.parse(json)
    if (FAULTS.includes(fault.kind)) return fault
  } catch {
    // Falls through to the sentence.
  }
  return `A fault is {"kind", "method"?, "target"?, "about"?, "after"?, "times"?}, its kind one of ${FAULTS.join(', ')}.`
}
