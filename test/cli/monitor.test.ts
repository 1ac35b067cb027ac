// `mafalda monitor`: its page comes to the tier with the operator's token, and can do little else.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { TierClient } from '../../browser/index.ts'
import { PROTOCOL } from '../../lib/hello.ts'
import { leaf, serve } from '../../server/index.ts'
import { folder } from '../certificates.ts'
import { afterTest, cleanUp, rejection, run, until } from '../helper.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

/** A tier that wants tokens, and a monitor that has one. */
async function open(claims = {}) {
  const issuer = secretIssuer()
  const tier = leaf(localMediasoup)
  const server = await serve(tier, {
    tokens: { secret: issuer.key, audience: AUDIENCE },
    logger: pino({ level: 'silent' })
  })
  afterTest(() => server.close())
  const file = join(folder(), 'token')
  writeFileSync(file, await issuer.issue(claims))
  const { lines, exited } = run([
    ...['monitor', server.url, '--listen', '127.0.0.1:0'],
    ...['--token', file]
  ])
  const page = await until(() => /http:\S+/.exec(lines.join())?.[0])
  return { server, page, exited, url: new URL('/', page.replace('http:', 'ws:')).href }
}

function browserAt(url: string) {
  const client = new TierClient(url)
  afterTest(() => client.close())
  return client
}

test('the page is there, and sees the tier with a token that it does not have', async () => {
  const { page, url } = await open({ scope: 'operate', sub: 'ann' })
  const answer = await fetch(page)
  assert.match(await answer.text(), 'Mafalda monitor')
  assert.match(answer.headers.get('content-security-policy')!, "default-src 'none'")
  const survey = browserAt(url).survey()
  await until(() =>
    [...survey.entries.values()].some(entry => entry.kind === 'session' && entry.subject === 'ann')
  )
})

test('it may not do more than the page needs', async () => {
  const { url } = await open()
  const client = browserAt(url)
  await client.call('tier.load')
  await rejection(client.call('mediasoup.createWorker'))
  await until(() => client.state === 'refused')
  assert.match(client.reason!, 'the page calls only tier.')
  // What was checked is what is sent: the last of two members of one name.
  const socket = new WebSocket(url, PROTOCOL)
  afterTest(() => socket.terminate())
  const told: string[] = []
  socket.on('message', data => told.push(String(data)))
  socket.on('open', () =>
    socket.send(
      '{"jsonrpc":"2.0","id":1,"method":"mediasoup.createWorker","params":[],"method":"tier.load"}'
    )
  )
  await until(() => told.length)
  assert.match(told[0]!, 'capacity')
})

test('pages of other origins do not come in, by a name that was rebound neither', async () => {
  const { url } = await open()
  for (const headers of [
    { origin: 'http://elsewhere.example' },
    { origin: 'http://evil.example', host: 'evil.example' }
  ]) {
    const socket = new WebSocket(url, PROTOCOL, { headers })
    const refused = await rejection(
      new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    )
    assert.match(refused.message, '403')
  }
})

test('the page is told when the tier is lost', async () => {
  const { server, url } = await open()
  const client = browserAt(url)
  client.survey()
  await until(() => client.state === 'open')
  await server.close()
  await until(() => client.state === 'connecting' && client.reason)
})

test('whoever reaches it may operate the tier, so other hosts do not', async () => {
  const { exited, lines } = run(['monitor', 'ws://127.0.0.1:1', '--listen', '0.0.0.0:0'])
  assert.equal(await exited, [1, null])
  assert.equal(lines, [])
})

test.run()
