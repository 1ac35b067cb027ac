// Health on a listener of its own, apart from the port of clients.

import { once } from 'node:events'
import { createServer } from 'node:net'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, rejection, run, startLeaf } from '../../helper.ts'

cleanUp(test)

async function open(options: ServeOptions = {}) {
  const tier = leaf(localMediasoup)
  const server = await serve(tier, { healthListen: { port: 0 }, ...options })
  afterTest(() => server.close())
  return { tier, server, url: server.url, healthUrl: server.healthUrl! }
}

async function ask(url: string, path: string) {
  const response = await fetch(url.replace(/^ws/, 'http') + path)
  return { status: response.status, text: await response.text() }
}

test('health is answered on the listener of its own, and not on the port of clients', async () => {
  const { url, healthUrl, tier } = await open()
  assert.match(healthUrl, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal(await ask(healthUrl, '/healthz'), {
    status: 200,
    text: '{"status":"ok","sessions":0}\n'
  })
  assert.equal(await ask(healthUrl, '/readyz'), { status: 200, text: '{"status":"ready"}\n' })
  for (const path of ['/healthz', '/readyz']) assert.is((await ask(url, path)).status, 426, path)
  tier.drain.start()
  assert.equal(await ask(healthUrl, '/readyz'), { status: 503, text: '{"status":"draining"}\n' })
})

test('who reaches it reaches nothing else', async () => {
  const { healthUrl } = await open()
  for (const path of ['/', '/metrics', '/healthz/..', '/healthz?x'])
    assert.is((await ask(healthUrl, path)).status, 404, path)
  const error = await rejection(connect(healthUrl.replace('http', 'ws'), { reconnect: false }))
  assert.match(error.message, /404/)
})

test('it needs no certificate where clients do', async () => {
  const { ca, issue } = await authority()
  const { healthUrl } = await open({ tls: { ...(await issue('tier')), ca } })
  assert.is((await ask(healthUrl, '/healthz')).status, 200)
})

test('it ends with the tier, and a port that is taken is said', async () => {
  const { server, healthUrl } = await open()
  await server.close()
  await rejection(fetch(`${healthUrl}/healthz`))
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  afterTest(() => taken.close())
  const { port } = taken.address() as { port: number }
  const error = await rejection(serve(leaf(localMediasoup), { healthListen: { port } }))
  assert.match(error.message, /^the listener for health cannot listen: .*EADDRINUSE/)
  const cli = run(['serve', '--listen', '127.0.0.1:0', '--health-listen', `127.0.0.1:${port}`])
  assert.is((await cli.exited)[0], 1)
  assert.match(cli.errors.join('\n'), 'mafalda: the listener for health cannot listen: ')
})

test('without it, health is on the port of clients', async () => {
  const { url, healthUrl } = await open({ healthListen: undefined })
  assert.is(healthUrl, undefined)
  assert.is((await ask(url, '/healthz')).status, 200)
})

test('mafalda serve says where it is', async () => {
  const { lines } = await startLeaf(['--health-listen', '127.0.0.1:0'])
  const { health } = JSON.parse(lines.find(line => line.includes('"listening"'))!)
  assert.is((await ask(health, '/readyz')).status, 200)
})

test.run()
