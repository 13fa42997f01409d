import { setTimeout as delay } from 'node:timers/promises'

/** The time of day; tests use clocks of their own. */
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

/** The first pause after a failure, and the longest. */
export type BackOff = { firstMs: number; mostMs: number }

/** How long to wait after so many failures in a row, from 0: each wait is twice the one before. */
export const backOffMs = ({ firstMs, mostMs }: BackOff, failures: number): number =>
  Math.min(firstMs * 2 ** Math.min(failures, 30), mostMs)

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high)
