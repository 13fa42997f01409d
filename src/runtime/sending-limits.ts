import type { Config } from '#config/settings.ts'
import type { SendingLimits } from '#store/reached-limits.ts'

export const sendingLimitsOf = (config: Config): SendingLimits => ({
  workspace: config.sendLimitPerWorkspace,
  newWorkspace: { days: config.newWorkspaceDays, limit: config.sendLimitPerNewWorkspace },
  installation: config.sendLimit,
})
