import { figure } from './figures.ts'

/** Prints p50, p95, p99 and the maximum; nearest-rank, so each is a measured value. */
export type Row = { what: string; values: readonly number[] }
export type Figures = { p50: number; p95: number; p99: number; worst: number }

/** Returns the figures of the last row. */
export function printTable(rows: readonly Row[]): Figures {
  figure(line('', 'p50', 'p95', 'p99', 'worst'))
  const figures = rows.map(({ what, values }) => {
    const found = {
      p50: rank(values, 0.5),
      p95: rank(values, 0.95),
      p99: rank(values, 0.99),
      worst: rank(values, 1),
    }
    figure(
      line(
        what,
        ...[found.p50, found.p95, found.p99, found.worst].map((ms) => `${Math.round(ms)}`),
      ),
    )
    return found
  })
  return figures.at(-1)!
}

const line = (what: string, ...cells: readonly string[]): string =>
  `  ${what.padEnd(22)}${cells.map((cell) => cell.padStart(8)).join('')}`

function rank(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1]!
}
