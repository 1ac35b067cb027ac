// A place that was given and not told is told by whoever is asked for the room next.

import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../client/index.ts'
import { horizontal } from '../../proxy/index.ts'
import { MemoryStore, openRegistry, parseSecrets } from '../../registry/index.ts'
import { serve } from '../../server/index.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { ask } from '../kit/registry.ts'
import { SECRET, startReceiver } from '../kit/webhook-receiver.ts'

cleanUp(test)

test('a registry that ends between giving a place and telling it leaves nothing untold', async () => {
  const receiver = await startReceiver()
  afterTest(() => receiver.close())
  const store = new MemoryStore()
  const cluster = horizontal()
  const webhook = { url: receiver.url, secrets: () => parseSecrets(SECRET) }
  const { routes, close } = openRegistry({ cluster, store, webhook, connect: url => remote(url) })
  const server = await serve(cluster, { logger: pino({ level: 'silent' }), routes })
  afterTest(async () => {
    await server.close()
    cluster.close()
    await close()
  })
  await ask(server.url, 'PUT', '/hosts/app', { body: { url: 'https://app.example' } })
  // As the other one did.
  await store.assign('a', ['app'])
  for (let i = 0; i < 3; i++) assert.is((await ask(server.url, 'PUT', '/rooms/a')).status, 200)
  await ask(server.url, 'PUT', '/rooms/b')
  const rooms = () => receiver.taken().filter(({ subject }) => subject!.startsWith('rooms/'))
  await until(() => rooms().some(({ data }) => data!.room === 'b'))
  await until(() => rooms().some(({ data }) => data!.room === 'a'))
  assert.is(receiver.received.filter(({ event }) => event.subject === 'rooms/a').length, 1)
  const { data } = rooms().find(({ subject }) => subject === 'rooms/a')!
  assert.equal(data, { room: 'a', host: 'app', url: 'https://app.example', epoch: 1 })
})

test.run()
