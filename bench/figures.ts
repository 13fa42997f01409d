/** Lines of figures. `npm run bench -- --write NAME …` puts them into the README, between the marks of each measurement. */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

const README = join(import.meta.dirname, '../README.md')

let kept: string[] = []

/** Prints a line that is worth quoting. */
export function figure(line: string): void {
  console.log(line)
  kept.push(line)
}

/** Whether a goal of ours was reached. */
export const target = (what: string, isMet: boolean): void =>
  figure(`target: ${what}: ${isMet ? 'met' : 'missed'}`)

/** Of an even number of values, what lies between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

/** What was said by `figure` since the last call. */
export function takeFigures(): readonly string[] {
  const lines = kept
  kept = []
  return lines
}

/** In the place of those that stand there now, with the day and the machine. */
export async function writeFigures(name: string, lines: readonly string[]): Promise<void> {
  const text = await readFile(README, 'utf8')
  const marks = new RegExp(`(<!-- bench ${name} -->\n).*?(<!-- end -->)`, 's')
  if (!marks.test(text)) throw new Error(`The README has no place for figures of ${name}.`)
  const day = new Date().toISOString().slice(0, 10)
  const model = cpus()[0]?.model.trim()
  const machine = `${day}, ${cpus().length} cores${model ? ` of ${model}` : ''}, Node ${process.versions.node}`
  const block = ['```', machine, ...lines.flatMap((line) => line.split('\n')), '```'].join('\n')
  await writeFile(
    README,
    text.replace(marks, (_, begin, end) => `${begin}${block}\n${end}`),
  )
}
