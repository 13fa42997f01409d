/** One row of a CSV file (RFC 4180); no spreadsheet takes a cell for a formula. */
export const csvRow = (cells: readonly string[]): string => `${cells.map(cell).join(',')}\r\n`

const cell = (text: string): string => {
  const isFormula = /^[=+\-@\t\r]/.test(text)
  if (!isFormula && /^[\w.:-]*$/.test(text)) return text
  return `"${(isFormula ? `'${text}` : text).replaceAll('"', '""')}"`
}
