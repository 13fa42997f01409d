import { explainConfig } from '#config/settings.ts'

/** Prints every setting and the source of its value; secrets are hidden. */
export async function showConfig(): Promise<void> {
  for (const { name, value, origin, unit, sentence } of explainConfig(process.env)) {
    process.stdout.write(`${name}=${value}\n    ${sentence} (${unit}; ${origin})\n`)
  }
}
