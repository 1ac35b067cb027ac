// The monitor's page on a tier: its files are public and closed, and only its own page comes in.

import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { PROTOCOL } from '../../../lib/hello.ts'
import { leaf, serve, type ServeOptions } from '../../../server/index.ts'
import { isOwnOrigin } from '../../../server/serve/own-origin.ts'
import { afterTest, cleanUp } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

async function open(options: ServeOptions) {
  const server = await serve(leaf(localMediasoup), {
    logger: pino({ level: 'silent' }),
    ...options
  })
  afterTest(() => server.close())
  return server
}

const pageOf = (url: string, path = '/monitor/') => new URL(path, url.replace('ws:', 'http:'))

/** HTTP's status, 101 for a WebSocket that is open. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(url, PROTOCOL, { headers })
  afterTest(() => socket.terminate())
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(101))
    socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode!))
    socket.once('error', reject)
  })
}

test('the page is there where it is asked for, with a policy that lets in nothing else', async () => {
  const { url } = await open({ monitor: true })
  const page = await fetch(pageOf(url, '/monitor'))
  assert.is(page.url, pageOf(url).href)
  assert.match(await page.text(), '<div id="app">')
  const policy = page.headers.get('content-security-policy')!
  assert.match(policy, "default-src 'none'")
  assert.not.match(policy, /unsafe|https?:|\*/)
  for (const file of ['monitor.js', 'monitor.css', 'icon.svg']) {
    const answer = await fetch(pageOf(url, `/monitor/${file}`))
    assert.is(answer.status, 200, file)
    assert.is(answer.headers.get('x-content-type-options'), 'nosniff')
  }
  for (const path of ['/monitor/../package.json', '/monitor/%2e%2e/package.json', '/monitor/x'])
    assert.is.not((await fetch(pageOf(url, path))).status, 200, path)
  assert.is((await fetch(pageOf(url), { method: 'POST' })).status, 405)
  assert.is((await fetch(pageOf(url, '/readyz'))).status, 200)
})

test('without it there is no page, and pages of the tier itself do not come in', async () => {
  const { url } = await open({})
  assert.is((await fetch(pageOf(url))).status, 426)
  assert.is(await statusOf(url, { origin: pageOf(url).origin }), 403)
})

test('its own page comes in, and no other one', async () => {
  const { url } = await open({ monitor: true })
  const { origin, host } = pageOf(url)
  assert.is(await statusOf(url, { origin }), 101)
  assert.is(await statusOf(url, { origin: 'http://elsewhere.example' }), 403)
  assert.is(await statusOf(url, { origin: 'http://127.0.0.1:1' }), 403)
  // A name that was rebound to this address.
  assert.is(await statusOf(url, { origin: 'http://evil.example', host: 'evil.example' }), 403)
  assert.is(await statusOf(url, { origin: `http://${host}.evil.example` }), 403)
})

test('where a token is needed, the page may be reached by a name', async () => {
  const { key } = secretIssuer()
  const { url } = await open({ monitor: true, tokens: { secret: key, audience: AUDIENCE } })
  const named = { origin: 'https://tier.example', host: 'tier.example' }
  assert.is(await statusOf(url, named), 101)
  assert.is(await statusOf(url, { ...named, host: 'other.example' }), 403)
})

test('a page is from here when its origin is the Host, and that is proven', () => {
  for (const [origin, host, isProven, isOwn] of [
    ['http://127.0.0.1:4000', '127.0.0.1:4000', false, true],
    ['http://[::1]:4000', '[::1]:4000', false, true],
    ['http://localhost:4000', 'localhost:4000', false, true],
    ['http://10.0.0.7', '10.0.0.7:80', false, true],
    ['http://localhost.evil.example', 'localhost.evil.example', false, false],
    ['http://tier.example', 'tier.example', false, false],
    ['https://tier.example', 'tier.example:443', true, true],
    ['https://tier.example', 'other.example', true, false],
    ['https://tier.example/', 'tier.example', true, false],
    ['null', 'tier.example', true, false],
    [undefined, 'tier.example', true, false]
  ] as const)
    assert.is(isOwnOrigin({ origin, host }, isProven), isOwn, `${origin} at ${host}`)
})

test.run()
