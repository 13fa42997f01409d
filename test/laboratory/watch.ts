/** Asks the same questions again and again, of all servers at once, and notes every answer that differs. */
import { setTimeout as delay } from 'node:timers/promises'
import { answerOf, originOf, type Question, type Server, shownBy } from './answers.ts'

/** An answer that differed, and where. */
export type Deviation = {
  server: string
  answer: string
  questions: Set<string>
  /** Milliseconds since the parent was first seen to show our pair. */
  first: number
  last: number
  times: number
}

export type Watched = {
  name: string
  questions: readonly Question[]
  /** The answers as they were at the beginning, in the order of the questions. */
  before: readonly string[]
  parent: Server
  old: readonly Server[]
  resolver: Server
  /** Asked once the parent shows `pair`: earlier no resolver comes to them. */
  ours: readonly Server[]
  pair: readonly string[]
}

const PAUSE_MS = 20

export class Watch {
  readonly deviations = new Map<string, Deviation>()
  /** How many answers were compared, by the server they came from. */
  readonly compared = new Map<string, number>()
  /** Who answered the resolver last. */
  origin = ''
  readonly #watched: Watched
  readonly #stop = new AbortController()
  #round = 0
  #shownAt: number | undefined
  #running: Promise<void>

  constructor(watched: Watched) {
    this.#watched = watched
    this.#running = this.#run()
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look()
      await delay(PAUSE_MS)
    }
  }

  async #look(): Promise<void> {
    const { name, parent, old, ours, pair, resolver } = this.#watched
    this.#round++
    const shown = await shownBy(parent, name)
    if (shown.join() === pair.join()) this.#shownAt ??= performance.now()
    const servers = [...old, resolver, ...(this.#shownAt === undefined ? [] : ours)]
    const looks = servers.map((server) => this.#compare(server))
    // A name that nobody has asked for, so that the resolver must ask, too.
    const origin = originOf(resolver, `origin-${this.#round}.${name}`, 'AAAA')
    await Promise.all([...looks, origin.then((found) => (this.origin = found || this.origin))])
  }

  async #compare(server: Server): Promise<void> {
    const { name, questions, before } = this.#watched
    await Promise.all(
      questions.map(async ([label, type], index) => {
        const asked = nameOf(label, name, this.#round)
        const answer = await answerOf(server, asked, type)
        this.compared.set(server.title, (this.compared.get(server.title) ?? 0) + 1)
        if (answer !== before[index]) this.#note(server.title, `${label || '@'} ${type}`, answer)
      }),
    )
  }

  #note(server: string, question: string, answer: string): void {
    const at = Math.round(performance.now() - (this.#shownAt ?? performance.now()))
    const key = `${server} ${answer}`
    const found = { server, answer, questions: new Set<string>(), first: at, last: at, times: 0 }
    const known = this.deviations.get(key) ?? found
    this.deviations.set(key, { ...known, last: at, times: known.times + 1 })
    known.questions.add(question)
  }
}

/** A label with a question mark is another one each round: caches know nothing of it. */
export function nameOf(label: string, name: string, round: number): string {
  const filled = label.replace('?', String(round))
  return filled === '' ? name : `${filled}.${name}`
}
