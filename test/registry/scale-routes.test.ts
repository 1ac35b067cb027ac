// `/scale`: how many hosts are wanted, over HTTP.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { horizontal } from '../../proxy/index.ts'
import { scaling } from '../../registry/index.ts'
import { serve } from '../../server/index.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { FakeLeaf } from '../kit/fake-leaf.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

async function open(options = {}) {
  const cluster = horizontal([new FakeLeaf(4)], {
    scale: { min: 3, max: 5, settle: 0, interval: 20 }
  })
  const { routes } = scaling({ cluster, log: { info() {}, warn() {} } })
  const server = await serve(cluster, { port: 0, routes, ...options })
  afterTest(() => {
    cluster.close()
    return server.close()
  })
  const url = server.url.replace('ws', 'http')
  return {
    cluster,
    url,
    ask: (init: RequestInit = {}) => fetch(`${url}/scale`, init),
    review: (review: object) =>
      fetch(`${url}/scale`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(review)
      })
  }
}

test('it says how many hosts there should be, and why', async () => {
  const { ask, url } = await open()
  const body = await until(async () => {
    const response = await ask()
    const body = (await response.json()) as Record<string, unknown>
    return response.status === 200 && body.starting === 2 && body
  })
  const { hosts, now, cores, reason, hpaHosts } = body
  assert.equal([hosts, now, cores, hpaHosts], [3, 1, 0, 3])
  assert.match(String(reason), /at least 3 hosts|cores are used/)
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, object>
  }
  assert.equal(Object.keys(document.paths['/scale']!), ['get', 'post'])
})

test('before anything was decided it says that', async () => {
  const { routes } = scaling({
    cluster: horizontal(),
    log: { info() {}, warn() {} }
  })
  const server = await serve(horizontal(), { port: 0, routes })
  afterTest(() => server.close())
  const response = await fetch(server.url.replace('ws', 'http') + '/scale')
  assert.is(response.status, 503)
  assert.is(response.headers.get('retry-after'), '1')
})

test("a FleetAutoscaler's review is answered", async () => {
  const { review, cluster } = await open()
  await until(() => cluster.wanted?.starting === 2)
  const request = (replicas: number) => ({
    request: { uid: 'u-1', name: 'media', namespace: 'default', status: { replicas } },
    response: null
  })
  const answer = async (replicas: number) => (await review(request(replicas))).json()
  assert.equal(await answer(1), {
    request: request(1).request,
    response: { uid: 'u-1', scale: true, replicas: 3 }
  })
  const { response } = (await answer(3)) as { response: object }
  assert.equal(response, { uid: 'u-1', scale: false, replicas: 3 })
  const wrong = await review({ request: { uid: 'u-1' } })
  assert.is(wrong.status, 400)
  assert.match(await wrong.text(), 'request.status.replicas')
})

test('with tokens, only who may operate the tier is told', async () => {
  const { key, issue } = secretIssuer()
  const { ask, cluster } = await open({ tokens: { secret: key, audience: AUDIENCE } })
  await until(() => cluster.wanted)
  const status = async (scope: string) => {
    const authorization = `Bearer ${await issue({ scope })}`
    return (await ask({ headers: { authorization } })).status
  }
  assert.is((await ask()).status, 401)
  assert.is(await status('create rooms'), 403)
  assert.is(await status('operate'), 200)
})

test.run()
