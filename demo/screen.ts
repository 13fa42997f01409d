/** The terminal: words, and lines that are redrawn in place where the terminal can do that. */
import { styleText } from 'node:util'

/** One line of something that takes time. */
export type Row = { text: string; is: 'later' | 'now' | 'done'; ms?: number | undefined }

/** The width of our lines; on a narrower terminal they would wrap, and redrawing would break. */
const WIDTH = 76
const TEXT_WIDTH = 54
const REDRAW_EVERY_MS = 100

export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #isLive: boolean

  constructor(out: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out
    const isPlain = Boolean(env.NO_COLOR) || env.TERM === 'dumb'
    this.#isLive = Boolean(out.isTTY) && !isPlain && out.columns >= WIDTH
  }

  title(text: string): void {
    this.#print(this.#paint('bold', text))
  }

  chapter(text: string): void {
    this.#print(`\n${this.#paint(['bold', 'cyan'], text)}`)
  }

  say(...lines: readonly string[]): void {
    for (const line of lines) this.#print(`  ${line}`)
  }

  /** The command that a user would type to do the same. */
  act(text: string): void {
    this.#print(this.#paint('dim', `  > ${text}`))
  }

  /** An answer, verbatim. */
  quote(...lines: readonly string[]): void {
    for (const line of lines) this.#print(`    ${line}`)
  }

  proved(text: string): void {
    this.#print(`  ${this.#paint('green', '✓')} ${text}`)
  }

  failed(text: string): void {
    this.#print(`\n${this.#paint('red', '✗')} ${text}`)
  }

  /** Shows the rows as they change, until the work is done. */
  async during<T>(work: Promise<T>, rows: () => readonly Row[]): Promise<T> {
    let shown: readonly Row[] = []
    const show = () => {
      shown = this.#isLive ? this.#redraw(shown, rows()) : this.#append(shown, rows())
    }
    show()
    const timer = setInterval(show, REDRAW_EVERY_MS)
    try {
      return await work
    } finally {
      clearInterval(timer)
      show()
    }
  }

  #redraw(shown: readonly Row[], rows: readonly Row[]): readonly Row[] {
    const up = shown.length > 0 ? `\x1b[${shown.length}A` : ''
    this.#out.write(up + rows.map((row) => `\r${this.#row(row)}\x1b[K\n`).join(''))
    return rows
  }

  /** Each row once, when it is done. */
  #append(shown: readonly Row[], rows: readonly Row[]): readonly Row[] {
    const done = rows.filter(({ is }) => is === 'done')
    for (const row of done.slice(shown.length)) this.#print(this.#row(row))
    return done
  }

  #row({ text, is, ms }: Row): string {
    const mark = { later: ' ', now: '…', done: this.#paint('green', '✓') }[is]
    const time = ms === undefined ? '' : inSeconds(ms)
    const line = `${text.padEnd(TEXT_WIDTH)} ${time.padStart(8)}`
    return `  ${mark} ${is === 'later' ? this.#paint('dim', text) : line}`
  }

  #paint(style: Parameters<typeof styleText>[0], text: string): string {
    return this.#isLive ? styleText(style, text, { validateStream: false }) : text
  }

  #print(line: string): void {
    this.#out.write(`${line}\n`)
  }
}

export const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
