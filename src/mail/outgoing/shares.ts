/** Limits the share of places of each workspace and each destination, so that none takes all. */
import { backOffMs, minutes, seconds } from '../../clock.ts'
import type { AttemptResult, QueuedMail } from './mail.ts'

/** The workspaces and destinations to skip now: their share is used up, or they rest. */
export type Taking = {
  /** Workspaces are taken in turn, starting behind this one. */
  after: string
  workspaces: readonly string[]
  destinations: readonly string[]
  /** The most at once of one workspace, and to one destination. */
  ofWorkspace: number
  toDestination: number
}

export type ShareLimits = { ofWorkspace: number; toDestination: number }

const FIRST = '00000000-0000-0000-0000-000000000000'
const REST = { firstMs: seconds(15), mostMs: minutes(15) }
/** The most silent destinations remembered. */
const SILENT_KNOWN = 10_000

type Silence = { times: number; until: number }

export class Shares {
  readonly #limits: ShareLimits
  readonly #now: () => number
  readonly #workspaces = new Map<string, number>()
  readonly #destinations = new Map<string, number>()
  readonly #silent = new Map<string, Silence>()
  #after = FIRST

  constructor(limits: ShareLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  taking(): Taking {
    const { ofWorkspace, toDestination } = this.#limits
    const full = (counts: ReadonlyMap<string, number>, most: number) =>
      [...counts].filter(([, count]) => count >= most).map(([name]) => name)
    return {
      after: this.#after,
      workspaces: full(this.#workspaces, ofWorkspace),
      destinations: [...full(this.#destinations, toDestination), ...this.#resting()],
      ofWorkspace,
      toDestination,
    }
  }

  /** Disposing the result returns the share. */
  begin({ workspaceId, destination }: QueuedMail): Disposable {
    count(this.#workspaces, workspaceId, 1)
    count(this.#destinations, destination, 1)
    this.#after = workspaceId
    return {
      [Symbol.dispose]: () => {
        count(this.#workspaces, workspaceId, -1)
        count(this.#destinations, destination, -1)
      },
    }
  }

  /** A destination that does not answer in time rests, for longer each time. */
  recordResult({ destination }: QueuedMail, { isSilent = false }: AttemptResult): void {
    if (!isSilent) {
      this.#silent.delete(destination)
      return
    }
    if (this.#silent.size >= SILENT_KNOWN) this.#silent.clear()
    const { times = 0, until = 0 } = this.#silent.get(destination) ?? {}
    // Attempts that were under way at the same time count as one silence.
    if (until > this.#now()) return
    const restMs = backOffMs(REST, times)
    this.#silent.set(destination, { times: times + 1, until: this.#now() + restMs })
  }

  #resting(): string[] {
    const now = this.#now()
    return [...this.#silent].filter(([, { until }]) => until > now).map(([name]) => name)
  }
}

function count(counts: Map<string, number>, name: string, by: number): void {
  const now = (counts.get(name) ?? 0) + by
  if (now > 0) counts.set(name, now)
  else counts.delete(name)
}
