/** Messages as an mbox (RFC 4155), with reversible quoting of From lines (mboxrd). */
import type { ExportedMessage } from '#store/mail-export.ts'

export async function* mboxOf(messages: AsyncIterable<ExportedMessage>): AsyncGenerator<Buffer> {
  for await (const { envelopeSender, receivedAt, octets } of messages) {
    const sender = envelopeSender.replace(/\s/g, '') || 'MAILER-DAEMON'
    yield Buffer.from(`From ${sender} ${asctime(receivedAt)}\n`)
    const lines = octets
      .toString('latin1')
      .replaceAll('\r\n', '\n')
      .replace(/^(>*From )/gm, '>$1')
    yield Buffer.from(lines.endsWith('\n') ? `${lines}\n` : `${lines}\n\n`, 'latin1')
  }
}

/** As asctime of C: `Mon Nov 23 10:00:00 2026`, in UTC. */
function asctime(at: Date): string {
  const [, day, date, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(at.toUTCString())!
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`
}
