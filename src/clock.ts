import { setTimeout as delay } from 'node:timers/promises'

/** The time of day for whatever decides by it; tests hand in their own. */
export type Clock = {
  now(): Date
  /** Resolves after `ms` milliseconds, or rejects when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
}

export const seconds = (n: number): number => n * 1000
export const minutes = (n: number): number => seconds(n * 60)
export const hours = (n: number): number => minutes(n * 60)
export const days = (n: number): number => hours(n * 24)

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high)
