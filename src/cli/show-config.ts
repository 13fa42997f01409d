import { explainConfig } from '#config/settings.ts'

/** Prints every setting with where its value came from; secrets are hidden. */
export async function showConfig(): Promise<void> {
  for (const { name, value, origin, unit, sentence } of explainConfig(process.env)) {
    process.stdout.write(`${name}=${value}\n    ${sentence} (${unit}; ${origin})\n`)
  }
}
