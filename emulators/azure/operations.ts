/** Long-running operations: the URLs to poll, and their answers. */
import { randomUUID } from 'node:crypto'
import type { EmulatedAnswer } from '../server.ts'
import { Refused } from './answers.ts'
import type { ArmCall } from './call.ts'
import { type ByName, type Cloud, lookAt, type Operation, type Provisioned } from './state.ts'

/**
 * ARM's own name, whatever address the request came to: clients refuse poll URLs that are not
 * https.
 */
export const CANONICAL = 'https://management.azure.com'
const NOW = { 'retry-after': '0' }

export function begin(cloud: Cloud, look: Operation['look']): string {
  const id = randomUUID()
  cloud.operations.set(id, { startedAt: cloud.settings.now(), look })
  return id
}

/** Ends with the resource's transitional state. */
export const provisioning =
  <T extends Provisioned>(shelf: ByName<T>, name: string): Operation['look'] =>
  () => {
    const state = lookAt(shelf, name)?.provisioningState
    return state === 'Creating' || state === 'Deleting' ? 'InProgress' : 'Succeeded'
  }

/** Ends at the second poll. */
export function passing(): Operation['look'] {
  let looks = 0
  return () => {
    looks += 1
    return looks > 1 ? 'Succeeded' : 'InProgress'
  }
}

/** The answer to a creation: where to poll the resource's state. */
export const pollsState = ({ cloud, version }: ArmCall, id: string): Record<string, string> => ({
  ...NOW,
  'azure-asyncoperation': pollUrl(cloud, 'operationStatuses', id, version),
})

/** The answer to all other operations: where to poll the result. */
export const pollsResult = ({ cloud, version }: ArmCall, id: string): Record<string, string> => ({
  ...NOW,
  location: pollUrl(cloud, 'operationResults', id, version),
})

function pollUrl({ credentials }: Cloud, kind: string, id: string, version: string): string {
  const scope = `/subscriptions/${credentials.subscription}/providers/Microsoft.Communication`
  return `${CANONICAL}${scope}/locations/global/${kind}/${id}?api-version=${version}`
}

/** Azure-AsyncOperation: always 200, the state is in the body. */
export function getOperationStatus(call: ArmCall): EmulatedAnswer {
  const { id, operation } = find(call)
  const status = operation.look()
  const startTime = new Date(operation.startedAt).toISOString()
  const endTime = new Date(call.cloud.settings.now()).toISOString()
  return {
    status: 200,
    headers: NOW,
    json: {
      id: call.path,
      name: id,
      status,
      startTime,
      ...(status === 'Succeeded' && { endTime }),
    },
  }
}

/** Location: the state is the status, 202 until it ends. */
export function getOperationResult(call: ArmCall): EmulatedAnswer {
  const { id, operation } = find(call)
  return operation.look() === 'InProgress'
    ? { status: 202, headers: pollsResult(call, id) }
    : { status: 200 }
}

function find({ cloud, names }: ArmCall): { id: string; operation: Operation } {
  const id = names.at(-1)!
  const operation = cloud.operations.get(id)
  if (!operation) throw new Refused(404, 'ResourceNotFound', `There is no operation '${id}'.`)
  return { id, operation }
}
