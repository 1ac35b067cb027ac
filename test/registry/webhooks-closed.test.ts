// Applications tell the registry that a room is over.

import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../client/index.ts'
import { horizontal } from '../../proxy/index.ts'
import { openRegistry } from '../../registry/index.ts'
import { serve } from '../../server/index.ts'
import { afterTest, cleanUp } from '../helper.ts'
import { type AskOptions, ask } from '../kit/registry.ts'

cleanUp(test)

const logger = pino({ level: 'silent' })

async function open() {
  const cluster = horizontal()
  const { routes, close } = openRegistry({ cluster, connect: url => remote(url) })
  const { url, ...server } = await serve(cluster, { logger, routes })
  afterTest(async () => {
    await server.close()
    cluster.close()
    await close()
  })
  const request = (method: string, path: string, more?: AskOptions) => ask(url, method, path, more)
  for (const id of ['one', 'other'])
    await request('PUT', `/hosts/${id}`, { body: { url: `https://${id}.example` } })
  return request
}

test('a room that is over is nowhere, and that may be said again', async () => {
  const request = await open()
  await request('PUT', '/rooms/a')
  for (const more of [undefined, undefined, { body: { epoch: 1 } }]) {
    assert.is((await request('POST', '/rooms/a/closed', more)).status, 204)
    assert.is((await request('GET', '/rooms/a')).status, 404)
  }
})

test('who had a room before it moved does not close it', async () => {
  const request = await open()
  const before = (await request('PUT', '/rooms/a')).body
  await request('DELETE', `/hosts/${before.host}`)
  const { body: now } = await request('PUT', '/rooms/a')
  assert.is(now.epoch, 2)
  const refused = await request('POST', '/rooms/a/closed', { body: { epoch: before.epoch } })
  assert.is(refused.status, 409)
  assert.is(refused.body.detail, 'the room "a" has the epoch 2 now, and stays (got 1)')
  assert.equal((await request('GET', '/rooms/a')).body, now)
  assert.is((await request('POST', '/rooms/a/closed', { body: { epoch: 2 } })).status, 204)
  assert.is((await request('GET', '/rooms/a')).status, 404)
})

test('an epoch that is none is refused', async () => {
  const request = await open()
  for (const epoch of [0, 1.5, '1', null]) {
    const { status, body } = await request('POST', '/rooms/a/closed', { body: { epoch } })
    assert.is(status, 400)
    assert.match(String(body.detail), /^epoch must be a whole number from 1 up/)
  }
})

test.run()
