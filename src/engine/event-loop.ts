import { type EventLoopUtilization, performance } from 'node:perf_hooks'

const BUSY = 0.6
const WINDOW_MS = 25

/** Watches whether the event loop was busy lately, in windows of about 25 ms. */
export function eventLoopWatch(): { isBusy(): boolean } {
  let began: EventLoopUtilization = performance.eventLoopUtilization()
  let isBusy = false
  return {
    isBusy() {
      const { active, idle, utilization } = performance.eventLoopUtilization(began)
      if (active + idle < WINDOW_MS) return isBusy
      isBusy = utilization > BUSY
      began = performance.eventLoopUtilization()
      return isBusy
    },
  }
}
