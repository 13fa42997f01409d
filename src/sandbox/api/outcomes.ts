import { z } from 'zod'
import type { Http } from '#api/http/http.ts'
import { Problem } from '#api/http/problems.ts'
import { LIFECYCLE } from '#domains/lifecycle.ts'
import { OUTCOMES } from '../outcomes.ts'
import { dropOutcomes, putOutcome } from '../rows.ts'
import { sandboxOutcome } from './answers.ts'
import { SANDBOX_PREFIX, type SandboxContext, sandboxKey } from './context.ts'
import { domainParam, nameIn } from './domain-param.ts'

const body = z.object({
  stage: z.enum(LIFECYCLE.map(({ met }) => met)).describe('The stage whose calls fail.'),
  outcome: z
    .enum(OUTCOMES)
    .describe('What the calls return: a refusal, throttling, no answer, or a late answer.'),
  times: z.int().min(1).max(1_000_000).default(1).describe('For how many calls.'),
})

/** `/outcomes/{domain}`: PUT makes a stage fail so many times; DELETE ends that. */
export function outcomeRoutes(app: Http, context: SandboxContext): void {
  const path = `${SANDBOX_PREFIX}/outcomes/:domain`

  app.put(
    path,
    {
      schema: {
        operationId: 'misbehave',
        summary: 'Makes the next calls of a stage fail or slow down',
        params: domainParam,
        body,
        response: { 200: sandboxOutcome },
        problems: ['test_key_required'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const { stage, outcome, times } = request.body
      const domain = nameIn(request.params)
      await putOutcome(context.store, domain, stage, outcome, times)
      await context.reloadOutcomes()
      return { domain, stage, outcome, times }
    },
  )

  app.delete(
    path,
    {
      schema: {
        operationId: 'behave',
        summary: 'Removes the outcomes set for a name',
        params: domainParam,
        response: { 200: sandboxOutcome },
        problems: ['test_key_required', 'outcome_not_found'],
      },
      ...sandboxKey(context),
    },
    async (request) => {
      const domain = nameIn(request.params)
      if (!(await dropOutcomes(context.store, domain))) throw new Problem('outcome_not_found')
      await context.reloadOutcomes()
      return { domain, stage: null, outcome: null, times: 0 }
    },
  )
}
