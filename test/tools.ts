/** What a driver is handed, without a database. */
import { accountGuard, type Rests } from '#drivers/guard.ts'
import type { Notes, Tools } from '#drivers/kind.ts'
import { takeTurns } from '../src/turns.ts'

export type TestTools = Tools & {
  /** What the operator was told. */
  told: string[]
}

export function testTools(rests?: Partial<Rests>): TestTools {
  const told: string[] = []
  const inTurn = takeTurns()
  return {
    account: 'bench',
    guard: accountGuard({
      account: 'bench',
      now: () => performance.now(),
      onTrouble: (sentence) => void told.push(sentence),
      ...(rests ? { rests } : {}),
    }),
    exclusive: (key, work, signal) => inTurn(key, () => work(signal)),
    notes: notesInMemory(),
    now: Date.now,
    told,
  }
}

function notesInMemory(): Notes {
  const notes = new Map<string, Map<string, string>>()
  const of = (claimId: string): Map<string, string> => {
    const known = notes.get(claimId) ?? new Map<string, string>()
    notes.set(claimId, known)
    return known
  }
  return {
    read: async (claimId, key) => of(claimId).get(key),
    write: async (claimId, key, value) => void of(claimId).set(key, value),
    keys: async (claimId) => [...of(claimId).keys()],
    drop: async (claimId, keys) => {
      for (const key of keys) of(claimId).delete(key)
    },
    forget: async (claimId) => void notes.delete(claimId),
    handedOver: async () => undefined,
  }
}
