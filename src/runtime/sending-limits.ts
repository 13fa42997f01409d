import type { Config } from '#config/settings.ts'
import type { SendingLimits } from '#store/accept-messages.ts'

export const sendingLimitsOf = (config: Config): SendingLimits => ({
  workspace: config.sendLimitPerWorkspace,
  newWorkspace: { days: config.newWorkspaceDays, limit: config.sendLimitPerNewWorkspace },
  installation: config.sendLimit,
})
