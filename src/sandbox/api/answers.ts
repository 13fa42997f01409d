/**
 * The shapes of answers of the sandbox, for OpenAPI and clients. They do not serialise answers: tests check
 * that answers have these shapes.
 */
import { z } from 'zod'
import { answerFields, instant, stage } from '#api/openapi/parts.ts'
import { components } from '#api/openapi/schema.ts'

export const sandboxDelegation = z
  .object({
    domain: z.string(),
    nameservers: z.array(z.string()),
    ds: z.array(z.string()),
    published_at: instant.nullable(),
  })
  .register(components, { id: 'SandboxDelegation' })

export const sandboxOutcome = z
  .object({
    domain: z.string(),
    stage: stage.nullable(),
    outcome: z.string().nullable(),
    times: z.int(),
  })
  .register(components, { id: 'SandboxOutcome' })

export const sandboxMailTaken = z
  .object({ ...answerFields, from: z.string(), to: z.string(), reply: z.string() })
  .register(components, { id: 'SandboxMailTaken' })

export const sandboxMailList = z
  .object({
    messages: z.array(
      z.object({
        from: z.string(),
        to: z.string(),
        subject: z.string(),
        text: z.string(),
        headers: z.record(z.string(), z.string()),
        authentication: z.object({ spf: z.string(), dkim: z.string(), dmarc: z.string() }),
        received_at: instant,
      }),
    ),
  })
  .register(components, { id: 'SandboxMailList' })
