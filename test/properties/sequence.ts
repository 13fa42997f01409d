/** Sequences of actions, made from a seed alone, written as text so that one can be repeated or cut down. */
import { seededRandom } from '../random.ts'

export const NAMES = ['acme', 'mail.acme', 'other'] as const
export type Step = { act: Act; who: 0 | 1; name: (typeof NAMES)[number]; waits: boolean }

/** How often each comes up, in proportion. */
const WEIGHTS = {
  add: 3,
  'delegate-own': 8,
  'delegate-half': 1,
  'delegate-strangers': 2,
  'delegate-mixed': 1,
  'delegate-with-ds': 1,
  cut: 2,
  uncut: 1,
  undelegate: 2,
  activate: 3,
  check: 2,
  delete: 2,
  misbehave: 2,
  'misbehave-parent': 1,
  crash: 1,
  'age-loss': 3,
  'age-conditions': 1,
  'age-looks': 1,
  'age-removals': 1,
} as const
export type Act = keyof typeof WEIGHTS
const ACTS = Object.entries(WEIGHTS).flatMap(([act, weight]) => Array<Act>(weight).fill(act as Act))

/** Begins with rivals for one name and somebody inside it, for without them most steps find nothing. */
export function sequenceOf(seed: number, length: number): Step[] {
  const random = seededRandom(seed)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const steps = Array.from({ length }, (): Step => {
    const who = random() < 0.5 ? 0 : 1
    return { act: pick(ACTS), who, name: pick(DRAWN), waits: random() < 0.7 }
  })
  return [...BEGINNING, ...steps]
}

const DRAWN = ['acme', 'acme', ...NAMES] as const
const BEGINNING = readSequence('add 0 acme; add 1 acme; add 1 mail.acme !')

/** `act who name`, with a `!` behind a step after which nobody waits. */
export const written = (steps: readonly Step[]): string =>
  steps.map(({ act, who, name, waits }) => `${act} ${who} ${name}${waits ? '' : ' !'}`).join('; ')

export function readSequence(text: string): Step[] {
  return text.split(';').map((step) => {
    const [act, who, name, mark] = step.trim().split(' ')
    return { act: act as Act, who: who === '1' ? 1 : 0, name: name as Step['name'], waits: !mark }
  })
}
