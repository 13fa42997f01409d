/**
 * Prints figures. `npm run bench -- --write NAME …` puts them into the README, between each
 * measurement's marks.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

const README = join(import.meta.dirname, '../README.md')

let kept: string[] = []

/** Prints a line to quote. */
export function figure(line: string): void {
  console.log(line)
  kept.push(line)
}

/** Prints whether a target was met. */
export const target = (what: string, isMet: boolean): void =>
  figure(`target: ${what}: ${isMet ? 'met' : 'missed'}`)

/** For an even number of values, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

/** The lines of `figure` since the last call. */
export function takeFigures(): readonly string[] {
  const lines = kept
  kept = []
  return lines
}

/** Replaces the old lines in the README, and adds the date and the machine. */
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
