import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Bench,
  DOMAIN,
  emailClient,
  FAST,
  idOf,
  link,
  MESSAGE,
  openBench,
  poll,
  provision,
  publish,
  readyToSend,
  register,
  SERVICE,
  VERSION,
  verify,
} from './bench.ts'
import { NO_CONTRACTS } from './contract-check.ts'

const D = 'emailServices/es/domains/a.example'

describe('resources', () => {
  test('are being created for the first poll, and hold nothing until then', async () => {
    await using bench = await openBench()
    const { call } = bench
    const made = await call('PUT', 'emailServices/es', SERVICE)
    assert.equal(made.status, 201)
    assert.equal(made.json.properties?.provisioningState, 'Creating')
    assert.equal(made.headers.get('retry-after'), '0')
    const early = await call('PUT', D, DOMAIN)
    assert.deepEqual([early.status, early.json.error.code], [404, 'ParentResourceNotFound'])
    assert.equal((await call('PUT', D, DOMAIN)).status, 201)
    const first = await call('GET', D)
    assert.equal(first.json.properties?.verificationRecords, undefined)
    const second = await call('GET', D)
    assert.equal(second.json.properties?.provisioningState, 'Succeeded')
    const records = Object.keys(second.json.properties?.verificationRecords ?? {})
    assert.deepEqual(records, ['Domain', 'SPF', 'DKIM', 'DKIM2'])
  })

  test('are polled at canonical addresses', async () => {
    await using bench = await openBench()
    const { call } = bench
    const states = []
    const made = await call('PUT', 'emailServices/es', SERVICE)
    for (let look = 0; look < 2; look++)
      states.push(await follow(bench, made, 'azure-asyncoperation'))
    assert.deepEqual(
      states.map(({ status, json }) => [status, String(json.status)]),
      [
        [200, 'InProgress'],
        [200, 'Succeeded'],
      ],
    )
    const gone = await call('DELETE', 'emailServices/es')
    assert.equal(gone.status, 202)
    assert.equal((await follow(bench, gone, 'location')).status, 202)
    assert.equal((await follow(bench, gone, 'location')).status, 200)
    assert.equal((await call('DELETE', 'emailServices/es')).status, 204)
  })

  test('may be put again, keep their keys, and are named in any case', async () => {
    await using bench = await openBench()
    const { key } = await provision(bench)
    assert.equal((await bench.call('PUT', 'communicationServices/CS', SERVICE)).status, 200)
    const again = await bench.call('POST', 'COMMUNICATIONSERVICES/Cs/LISTKEYS')
    assert.equal(again.json.primaryKey, key)
    const renewed = await bench.call('POST', 'communicationServices/cs/regenerateKey', {
      keyType: 'Primary',
    })
    assert.notEqual(renewed.json.primaryKey, key)
  })

  test('that are being deleted cannot be put again until they are gone', async () => {
    await using bench = await openBench()
    await provision(bench)
    await register(bench, 'a.example')
    assert.equal((await bench.call('DELETE', D)).status, 202)
    assert.deepEqual(bench.azure.holdings().domains, [])
    assert.equal((await bench.call('PUT', D, DOMAIN)).status, 409)
    assert.equal((await bench.call('PUT', D, DOMAIN)).status, 201)
  })

  test('that are being deleted stand in the way of the service they lie in', async () => {
    await using bench = await openBench()
    await provision(bench)
    await register(bench, 'a.example')
    await bench.call('DELETE', D)
    const { json } = await bench.call('DELETE', 'emailServices/es')
    assert.equal(json.error.code, 'CannotDeleteResource')
    assert.equal((await bench.call('DELETE', 'emailServices/es')).status, 202)
  })

  test('are listed by the page', async () => {
    await using bench = await openBench({ pageSize: 2 })
    await provision(bench)
    for (const name of ['a.example', 'b.example', 'c.example']) await register(bench, name)
    const names = []
    const { resourceGroup } = bench.azure.credentials
    for await (const { name } of bench.arm.domains.listByEmailServiceResource(
      resourceGroup,
      'es',
    )) {
      names.push(name)
    }
    assert.deepEqual(names, ['a.example', 'b.example', 'c.example'])
    const { json } = await bench.call('GET', 'emailServices/es/domains')
    assert.match(String(json.nextLink), /^https:\/\/management\.azure\.com\//)
  })

  test('take tags and tracking by PATCH', async () => {
    await using bench = await openBench()
    await provision(bench)
    await register(bench, 'a.example')
    const patch = { tags: { claim: '1' }, properties: { userEngagementTracking: 'Enabled' } }
    assert.equal((await bench.call('PATCH', D, patch)).status, 200)
    const { json } = await bench.call('GET', D)
    assert.deepEqual(json.tags, { claim: '1' })
    assert.equal(json.properties?.userEngagementTracking, 'Enabled')
    assert.equal((await bench.call('PATCH', 'emailServices/es', { tags: { a: 'b' } })).status, 200)
  })
})

async function follow({ call }: Bench, answer: { headers: Headers }, header: string) {
  const url = new URL(answer.headers.get(header)!)
  assert.equal(url.origin, 'https://management.azure.com')
  return call('GET', `${url.pathname}${url.search}`)
}

describe('linked domains', () => {
  test('must exist, be fully verified and lie in the same place, or none is linked', async () => {
    await using bench = await openBench()
    await readyToSend(bench, 'a.example')
    await register(bench, 'b.example')
    await verify(bench, 'b.example')
    const foreign = idOf(bench, 'a.example').replace(/\/subscriptions\/[^/]+/, '/subscriptions/0')
    for (const id of ['nonsense', idOf(bench, 'c.example'), idOf(bench, 'b.example'), foreign]) {
      const { status, json } = await link(bench, [idOf(bench, 'a.example'), id])
      assert.deepEqual([status, json.error.code], [400, 'InvalidLinkedDomains'], id)
    }
    assert.deepEqual(bench.azure.holdings().linkedDomains, [idOf(bench, 'a.example')])
    const norway = { location: 'global', properties: { dataLocation: 'Norway' } }
    await bench.call('PUT', 'communicationServices/north', norway)
    await poll(bench.call, 'communicationServices/north')
    const { json } = await bench.call('PATCH', 'communicationServices/north', {
      properties: { linkedDomains: [idOf(bench, 'a.example')] },
    })
    assert.equal(json.error.code, 'InvalidLinkedDomains')
  })

  test('are replaced whole by PATCH, and by a PUT that is silent on them', async () => {
    await using bench = await openBench()
    await readyToSend(bench, 'a.example')
    publish(bench, await register(bench, 'b.example'))
    await verify(bench, 'b.example')
    await link(bench, [idOf(bench, 'b.example')])
    await bench.call('PATCH', 'communicationServices/cs', { tags: { a: 'b' } })
    assert.deepEqual(bench.azure.holdings().linkedDomains, [idOf(bench, 'b.example')])
    await bench.call('PUT', 'communicationServices/cs', SERVICE)
    assert.deepEqual(bench.azure.holdings().linkedDomains, [])
  })

  test('are the same in any case', async () => {
    await using bench = await openBench()
    await readyToSend(bench, 'a.example')
    const id = idOf(bench, 'a.example')
    await link(bench, [id, id.toUpperCase()])
    assert.deepEqual(bench.azure.holdings().linkedDomains, [id.toUpperCase()])
    assert.equal((await bench.call('DELETE', D)).json.error.code, 'DomainIsLinked')
  })

  test('can be deleted only once they are unlinked, unless told otherwise', async () => {
    for (const refusesToDeleteLinked of [true, false]) {
      await using bench = await openBench({ refusesToDeleteLinked })
      await readyToSend(bench, 'a.example')
      assert.equal((await bench.call('DELETE', D)).status, refusesToDeleteLinked ? 409 : 202)
      const { linkedDomains } = bench.azure.holdings()
      assert.equal(linkedDomains.length, refusesToDeleteLinked ? 1 : 0)
      await link(bench, [])
      assert.equal((await bench.call('DELETE', D)).status, 202)
    }
  })
})

describe('what lies in a domain', () => {
  const sender = (username: string) => ({ properties: { username, displayName: 'Kim Lee' } })

  test('is a sender that was there before, and those that were made', async () => {
    await using bench = await openBench()
    const { call } = bench
    await provision(bench)
    await register(bench, 'a.example')
    assert.equal((await call('GET', `${D}/senderUsernames/DoNotReply`)).status, 200)
    assert.equal((await call('PUT', `${D}/senderUsernames/kim`, sender('kim'))).status, 201)
    assert.equal((await call('PUT', `${D}/senderUsernames/kim`, sender('kim'))).status, 200)
    const { json } = await call('GET', `${D}/senderUsernames`)
    assert.equal((json.value as unknown as unknown[]).length, 2)
    assert.deepEqual(bench.azure.holdings().senders, ['a.example/kim'])
    assert.equal((await call('DELETE', `${D}/senderUsernames/kim`)).status, 200)
    assert.equal((await call('DELETE', `${D}/senderUsernames/kim`)).status, 204)
  })

  test('is no other sender at the default limits', async () => {
    await using bench = await openBench({ senderUsernamesAllowed: false })
    await provision(bench)
    await register(bench, 'a.example')
    const { status, json } = await bench.call('PUT', `${D}/senderUsernames/kim`, sender('kim'))
    assert.equal(status, 403)
    assert.match(json.error.message, /quota/)
    const own = await bench.call('PUT', `${D}/senderUsernames/donotreply`, sender('DoNotReply'))
    assert.equal(own.status, 200)
    assert.deepEqual(bench.azure.holdings().senders, [])
  })

  test('are suppression lists with addresses, and all of it goes with the domain', async () => {
    await using bench = await openBench()
    const { call } = bench
    await provision(bench)
    await register(bench, 'a.example')
    await call('PUT', `${D}/senderUsernames/kim`, sender('kim'))
    const list = { properties: { listName: 'kim' } }
    assert.equal((await call('PUT', `${D}/suppressionLists/kim`, list)).status, 201)
    assert.equal((await call('PUT', `${D}/suppressionLists/kim`, list)).status, 200)
    const one = `${D}/suppressionLists/kim/suppressionListAddresses/1`
    const address = { properties: { email: 'no@inbox.test', notes: 'asked' } }
    assert.equal((await call('PUT', one, { properties: { email: 'no' } })).status, 400)
    assert.equal((await call('PUT', one, address)).status, 201)
    assert.equal((await call('GET', one)).json.properties?.email, 'no@inbox.test')
    const { json } = await call('GET', `${D}/suppressionLists/kim/suppressionListAddresses`)
    assert.equal((json.value as unknown as unknown[]).length, 1)
    assert.equal((await call('GET', `${D}/suppressionLists`)).status, 200)
    assert.equal((await call('DELETE', one)).status, 200)
    assert.equal((await call('DELETE', one)).status, 204)
    assert.deepEqual(bench.azure.holdings().suppressionLists, ['a.example/kim'])
    await call('DELETE', D)
    const nothing = { domains: [], linkedDomains: [], senders: [], suppressionLists: [] }
    assert.deepEqual(bench.azure.holdings(), nothing)
  })
})

describe('the official SDKs', () => {
  test('make a domain ready, send, and clean up until nothing is left', async () => {
    await using bench = await openBench()
    const { azure, arm } = bench
    const group = azure.credentials.resourceGroup
    const service = { location: 'global', dataLocation: 'Europe' }
    await arm.emailServices.beginCreateOrUpdateAndWait(group, 'es', service, FAST)
    await arm.communicationServices.beginCreateOrUpdateAndWait(group, 'cs', service, FAST)
    const wanted = { location: 'global', domainManagement: 'CustomerManaged' }
    const made = await arm.domains.beginCreateOrUpdateAndWait(
      group,
      'es',
      'a.example',
      wanted,
      FAST,
    )
    assert.equal(made.provisioningState, 'Succeeded')
    publish(bench, made)
    for (const verificationType of ['Domain', 'SPF', 'DKIM', 'DKIM2']) {
      const asked = { verificationType }
      await arm.domains.beginInitiateVerificationAndWait(group, 'es', 'a.example', asked, FAST)
    }
    const { id, verificationStates } = await arm.domains.get(group, 'es', 'a.example')
    for (const type of ['domain', 'spf', 'dkim', 'dkim2'] as const) {
      assert.equal(verificationStates?.[type]?.status, 'Verified', type)
    }
    const linked = await arm.communicationServices.update(group, 'cs', { linkedDomains: [id!] })
    assert.deepEqual(linked.linkedDomains, [id])
    const kim = { username: 'kim', displayName: 'Kim Lee' }
    await arm.senderUsernames.createOrUpdate(group, 'es', 'a.example', 'kim', kim)

    const { primaryConnectionString } = await arm.communicationServices.listKeys(group, 'cs')
    const message = { ...MESSAGE, senderAddress: 'kim@a.example' }
    const email = emailClient(primaryConnectionString!)
    const sending = await email.beginSend(message, FAST)
    const result = await sending.pollUntilDone()
    assert.equal(result.status, 'Succeeded')
    assert.deepEqual(
      azure.sent.map(({ operationId, from, to, subject }) => ({ operationId, from, to, subject })),
      [{ operationId: result.id, from: 'kim@a.example', to: ['kim@inbox.test'], subject: 'Hello' }],
    )

    await arm.communicationServices.update(group, 'cs', { linkedDomains: [] })
    await arm.senderUsernames.delete(group, 'es', 'a.example', 'kim')
    await arm.domains.beginDeleteAndWait(group, 'es', 'a.example', FAST)
    await arm.communicationServices.beginDeleteAndWait(group, 'cs', FAST)
    await arm.emailServices.beginDeleteAndWait(group, 'es', FAST)
    await assert.rejects(arm.emailServices.get(group, 'es'), { code: 'ResourceNotFound' })
    const nothing = { domains: [], linkedDomains: [], senders: [], suppressionLists: [] }
    assert.deepEqual(azure.holdings(), nothing)
  })

  test('read refusals and injected faults as the provider’s own', async () => {
    await using bench = await openBench()
    const { azure, arm } = bench
    const group = azure.credentials.resourceGroup
    const one = () => arm.emailServices.get(group, 'es')
    await assert.rejects(one(), { statusCode: 404, code: 'ResourceNotFound' })
    const INJECTED = [
      ['throttled', 429, 'TooManyRequests'],
      ['broken', 503, 'ServerUnavailable'],
      ['forbidden', 403, 'AuthorizationFailed'],
      ['unauthorized', 401, 'InvalidAuthenticationToken'],
    ] as const
    for (const [kind, statusCode, code] of INJECTED) {
      azure.faults.add({ kind, about: 'emailServices' })
      await assert.rejects(one(), { statusCode, code }, kind)
    }
  })

  test('are denied with a wrong key, and refused for a domain that is not linked', async () => {
    await using bench = await openBench()
    const { key } = await readyToSend(bench)
    const { url } = bench.azure
    const wrong = emailClient(`endpoint=${url}/;accesskey=${Buffer.from('no').toString('base64')}`)
    await assert.rejects(wrong.beginSend(MESSAGE), { statusCode: 401, code: 'Denied' })
    const right = emailClient(`endpoint=${url}/;accesskey=${key}`)
    const other = { ...MESSAGE, senderAddress: 'DoNotReply@b.example' }
    await assert.rejects(right.beginSend(other), { statusCode: 404, code: 'DomainNotLinked' })
  })
})

test('the contract check finds what is wrong with an answer', { skip: NO_CONTRACTS }, async () => {
  const { deviationsOf } = await import('./contract-check.ts')
  const observed = (body: unknown, status = 200) => ({
    method: 'GET',
    path: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Communication/emailServices/es',
    status,
    body: JSON.stringify(body),
    headers: new Headers(),
  })
  const properties = { dataLocation: 'Europe' }
  assert.deepEqual(deviationsOf(observed({ location: 'global', properties })), [])
  assert.equal(deviationsOf(observed({ properties })).length, 1)
  assert.equal(deviationsOf(observed({ location: 1, properties })).length, 1)
  assert.equal(deviationsOf(observed({ location: 'global', properties, more: 1 })).length, 1)
  const state = { ...properties, provisioningState: 'Done' }
  assert.equal(deviationsOf(observed({ location: 'global', properties: state })).length, 1)
  assert.equal(deviationsOf(observed({}, 206)).length, 1)
  assert.equal(VERSION, '2025-09-01')
})
