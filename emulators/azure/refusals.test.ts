import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DOMAIN, openBench, provision, register, SERVICE, signIn, tokenForm } from './bench.ts'

const D = 'emailServices/es/domains/a.example'

describe('sign-in', () => {
  const REFUSED: [name: string, changes: Record<string, string>, status: number, error: string][] =
    [
      ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client'],
      ['another client', { client_id: 'other' }, 400, 'unauthorized_client'],
      ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
      ['another scope', { scope: 'https://graph.microsoft.com/.default' }, 400, 'invalid_scope'],
    ]
  for (const [name, changes, status, error] of REFUSED) {
    test(`refuses ${name}`, async () => {
      await using bench = await openBench()
      const { azure } = bench
      const form = { ...tokenForm(azure), ...changes }
      const response = await signIn(azure, azure.credentials.tenantId, form)
      assert.equal(response.status, status)
      assert.equal(((await response.json()) as { error: string }).error, error)
    })
  }

  test('refuses another tenant', async () => {
    await using bench = await openBench()
    assert.equal((await signIn(bench.azure, 'other', tokenForm(bench.azure))).status, 400)
  })

  test('gives a bearer token and says how long it lasts', async () => {
    await using bench = await openBench()
    const { azure } = bench
    const response = await signIn(azure, azure.credentials.tenantId, tokenForm(azure))
    const body = (await response.json()) as Record<string, unknown>
    assert.equal(body.token_type, 'Bearer')
    assert.equal(body.expires_in, 3599)
    assert.equal(typeof body.access_token, 'string')
  })

  test('is refused once revoked, as are the tokens given before, until restored', async () => {
    await using bench = await openBench()
    const { azure, call } = bench
    assert.equal((await call('GET', 'emailServices')).status, 200)
    azure.revoke()
    const { status, json } = await call('GET', 'emailServices')
    assert.deepEqual([status, json.error.code], [401, 'InvalidAuthenticationToken'])
    const answer = await signIn(azure, azure.credentials.tenantId, tokenForm(azure))
    assert.equal(answer.status, 401)
    azure.restore()
    assert.equal((await call('GET', 'emailServices')).status, 200)
  })

  test('is good for an hour', async () => {
    let now = Date.now()
    await using bench = await openBench({ now: () => now })
    await bench.call('GET', 'emailServices')
    now += 3_600_000
    const { status, json } = await bench.call('GET', 'emailServices')
    assert.deepEqual([status, json.error.code], [401, 'ExpiredAuthenticationToken'])
  })
})

describe('resource management refuses', () => {
  test('a request without a token', async () => {
    await using bench = await openBench()
    const response = await fetch(`${bench.azure.url}/subscriptions/x`)
    assert.equal(response.status, 401)
    const { error } = (await response.json()) as { error: { code: string } }
    assert.equal(error.code, 'AuthenticationFailed')
  })

  test('a client without rights, until it has them', async () => {
    await using bench = await openBench()
    bench.azure.forbid()
    const { status, json } = await bench.call('PUT', 'emailServices/es', SERVICE)
    assert.deepEqual([status, json.error.code], [403, 'AuthorizationFailed'])
    assert.equal((await bench.call('GET', 'emailServices/es')).status, 403)
    bench.azure.allow()
    assert.equal((await bench.call('GET', 'emailServices/es')).status, 404)
  })

  const domain = (properties: object) => ({ location: 'global', properties })
  const REFUSED: [method: string, path: string, body: unknown, status: number, code: string][] = [
    ['GET', '/nothing', undefined, 404, 'MissingSubscription'],
    [
      'GET',
      '/subscriptions/0/resourceGroups/g/providers/Microsoft.Communication/emailServices',
      undefined,
      404,
      'SubscriptionNotFound',
    ],
    ['GET', 'emailServices/es?api-version=2020-01-01', undefined, 400, 'NoRegisteredProviderFound'],
    ['GET', 'emailServices/es?x=y', undefined, 400, 'MissingApiVersionParameter'],
    ['GET', 'smsServices/x', undefined, 404, 'InvalidResourceType'],
    ['GET', `${D}/dnsRecords`, undefined, 404, 'InvalidResourceType'],
    ['POST', 'communicationServices/cs/linkNotificationHub', {}, 404, 'InvalidResourceType'],
    ['POST', 'emailServices/es', {}, 405, 'MethodNotAllowed'],
    ['GET', 'emailServices/other', undefined, 404, 'ResourceNotFound'],
    ['GET', 'communicationServices/other', undefined, 404, 'ResourceNotFound'],
    ['PATCH', 'communicationServices/other', {}, 404, 'ResourceNotFound'],
    ['POST', 'communicationServices/other/listKeys', undefined, 404, 'ResourceNotFound'],
    ['PUT', 'emailServices/under_score', SERVICE, 400, 'InvalidResourceName'],
    ['PUT', `emailServices/${'a'.repeat(64)}`, SERVICE, 400, 'InvalidResourceName'],
    ['PUT', 'emailServices/new', { properties: SERVICE.properties }, 400, 'LocationRequired'],
    [
      'PUT',
      'emailServices/new',
      { ...SERVICE, location: 'westeurope' },
      400,
      'LocationNotAvailableForResourceType',
    ],
    ['PUT', 'emailServices/new', domain({}), 400, 'BadRequest'],
    ['PUT', 'emailServices/es', domain({ dataLocation: 'Norway' }), 400, 'BadRequest'],
    ['PUT', 'emailServices/new', undefined, 400, 'InvalidRequestContent'],
    ['GET', 'emailServices/other/domains', undefined, 404, 'ParentResourceNotFound'],
    ['PUT', 'emailServices/other/domains/a.example', DOMAIN, 404, 'ParentResourceNotFound'],
    ['GET', 'emailServices/es/domains/b.example', undefined, 404, 'ResourceNotFound'],
    ['PUT', 'emailServices/es/domains/b_.example', DOMAIN, 400, 'BadRequest'],
    ['PUT', 'emailServices/es/domains/b.example', domain({}), 400, 'BadRequest'],
    [
      'PUT',
      'emailServices/es/domains/b.example',
      domain({ domainManagement: 'AzureManaged' }),
      400,
      'BadRequest',
    ],
    ['PATCH', D, { tags: { a: 1 } }, 400, 'BadRequest'],
    ['DELETE', 'emailServices/es', undefined, 409, 'CannotDeleteResource'],
    ['POST', `${D}/initiateVerification`, { verificationType: 'MX' }, 400, 'BadRequest'],
    ['POST', `${D}/cancelVerification`, { verificationType: 'SPF' }, 409, 'Conflict'],
    [
      'PUT',
      'emailServices/es/domains/b.example/senderUsernames/kim',
      {},
      404,
      'ParentResourceNotFound',
    ],
    ['GET', `${D}/senderUsernames/kim`, undefined, 404, 'ResourceNotFound'],
    ['PUT', `${D}/senderUsernames/kim`, { properties: {} }, 400, 'BadRequest'],
    ['PUT', `${D}/senderUsernames/kim`, { properties: { username: 'lee' } }, 400, 'BadRequest'],
    ['PUT', `${D}/senderUsernames/k m`, { properties: { username: 'k m' } }, 400, 'BadRequest'],
    ['PUT', `${D}/suppressionLists/l`, { properties: { listName: 'nobody' } }, 400, 'BadRequest'],
    [
      'PUT',
      `${D}/suppressionLists/l_l`,
      { properties: { listName: 'donotreply' } },
      400,
      'BadRequest',
    ],
    ['GET', `${D}/suppressionLists/l`, undefined, 404, 'ResourceNotFound'],
    [
      'PUT',
      `${D}/suppressionLists/l/suppressionListAddresses/1`,
      {},
      404,
      'ParentResourceNotFound',
    ],
    [
      'GET',
      '/subscriptions/SUB/providers/Microsoft.Communication/locations/global/operationStatuses/1',
      undefined,
      404,
      'ResourceNotFound',
    ],
  ]
  test('what the table says, in its own words, and changes nothing', async () => {
    await using bench = await openBench()
    await provision(bench)
    await register(bench, 'a.example')
    for (const [method, written, body, status, code] of REFUSED) {
      const path = written.replace('/SUB/', `/${bench.azure.credentials.subscription}/`)
      const answer = await bench.call(method, path, body)
      const what = `${method} ${path} ${JSON.stringify(body)}`
      assert.deepEqual([answer.status, answer.json.error.code], [status, code], what)
    }
    const nothingElse = { linkedDomains: [], senders: [], suppressionLists: [] }
    assert.deepEqual(bench.azure.holdings(), { domains: ['a.example'], ...nothingElse })
  })
})
