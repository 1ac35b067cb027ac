// The receiver of docs/webhooks.md takes what is signed, once, and nothing else.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { publisher } from '../../registry/events/publish.ts'
import { parseSecrets } from '../../registry/events/secrets.ts'
import { openWebhooks } from '../../registry/events/webhooks.ts'
import { MemoryStore } from '../../registry/store/memory-store.ts'
import { fencesOf, read, root } from '../docs/markdown.ts'
import { afterTest, cleanUp, freePort, until } from '../helper.ts'
import { end, startNode } from '../kit/processes.ts'
import { SECRET } from '../kit/webhook-receiver.ts'

cleanUp(test)

const OTHER_SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

async function startReceiver(port: number) {
  const [fence] = fencesOf(read('docs/webhooks.md'), 'ts')
  assert.ok(fence!.text.trim().split('\n').length <= 22)
  await mkdir(join(root, 'coverage'), { recursive: true })
  const folder = await mkdtemp(join(root, 'coverage/receiver-'))
  afterTest(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'receiver.ts'), fence!.text)
  const env = { ...process.env, PORT: String(port), WEBHOOK_SECRET: SECRET }
  const started = startNode([join(folder, 'receiver.ts')], { env })
  afterTest(() => end(started.child, 'SIGKILL'))
  return started
}

function tell(url: string, secret: string) {
  const store = new MemoryStore()
  const secrets = () => parseSecrets(secret)
  const log = { info() {}, warn() {} }
  const webhooks = openWebhooks({ store, registry: '1', url, secrets, log, backoff: [5, 100] })
  afterTest(async () => {
    await webhooks.close()
    await store.close()
  })
  return { publish: publisher(store, 'test'), webhooks }
}

test('the receiver of docs/webhooks.md prints what is signed, and refuses what is not', async () => {
  const port = await freePort()
  const { lines } = await startReceiver(port)
  const { publish, webhooks } = tell(`http://127.0.0.1:${port}/`, SECRET)
  await publish('host.up', { host: 'media-1', url: 'wss://media-1' })
  await until(() => webhooks.counts.told)
  const stranger = tell(`http://127.0.0.1:${port}/`, OTHER_SECRET)
  await stranger.publish('host.up', { host: 'media-2', url: 'wss://media-2' })
  await until(() => stranger.webhooks.counts.failures > 1)
  assert.is(stranger.webhooks.counts.told, 0)
  await until(() => lines.length)
  assert.equal(lines, ['mafalda.host.up hosts/media-1 {"host":"media-1","url":"wss://media-1"}'])
})

test.run()
