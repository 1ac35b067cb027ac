// From where a tier may be reached, and from which pages of browsers.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { connect } from '../../../client/index.ts'
import { PROTOCOL } from '../../../lib/hello.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, rejection, run, startLeaf } from '../../helper.ts'

cleanUp(test)

async function open(options?: ServeOptions) {
  const server = await serve(leaf(localMediasoup), options)
  afterTest(() => server.close())
  return server
}

/** What an upgrade is answered with: 101, or why not. */
async function knock(url: string, headers: Record<string, string>) {
  const socket = new WebSocket(url, PROTOCOL, { headers })
  afterTest(() => socket.terminate())
  socket.on('error', () => {}) // The answer tells.
  return await Promise.race([
    once(socket, 'open').then(() => ({ status: 101, text: '' })),
    once(socket, 'unexpected-response').then(async ([, response]) => {
      let text = ''
      for await (const chunk of response) text += chunk
      return { status: response.statusCode as number, text }
    })
  ])
}

test('addresses that other hosts reach are refused, with what to do, unless told that it is meant', async () => {
  for (const host of ['0.0.0.0', '::', '::ffff:0.0.0.0', '192.0.2.1', 'example.invalid']) {
    const error = (await rejection(serve(leaf(localMediasoup), { host }))) as NodeJS.ErrnoException
    assert.is(error.code, 'ERR_INSECURE', host)
    assert.ok(
      error.message.startsWith(
        `whoever reaches ${host} could use this tier: give serve() tokens, or tls`
      ),
      error.message
    )
  }
  const { url } = await open({ host: '0.0.0.0', insecure: true })
  const mediasoup = await connect(url)
  mediasoup.close()
})

test('every address of the loopback may be used by whoever is on this host', async () => {
  for (const host of ['127.0.0.1', '127.8.9.10', '::1', 'localhost']) await open({ host })
})

test('mafalda serve says in one sentence how to do it', async () => {
  const { exited, errors } = run(['serve', '--listen', '0.0.0.0:0'])
  assert.is((await exited)[0], 1)
  assert.is(errors.length, 1)
  assert.match(
    errors[0]!,
    /^mafalda: whoever reaches 0\.0\.0\.0 could use this tier: .* --insecure /
  )
  const { url } = await startLeaf(['--listen', '0.0.0.0:0', '--insecure'])
  const mediasoup = await connect(url.replace('0.0.0.0', '127.0.0.1'))
  mediasoup.close()
})

test('a page may not connect, whatever page; what is no browser may', async () => {
  const { url } = await open()
  const { host } = new URL(url)
  for (const origin of ['https://evil.example', `http://${host}`, 'null', '']) {
    const { status, text } = await knock(url, { origin })
    assert.is(status, 403, origin)
    assert.is(
      text,
      `pages of ${origin} may not connect: the operator allows origins by --allow-origin\n`
    )
  }
  assert.is((await knock(url, {})).status, 101)
})

test('pages of an allowed origin may connect, and only they', async () => {
  const { url } = await startLeaf(['--allow-origin', 'https://app.example,http://localhost:3000'])
  for (const origin of ['https://app.example', 'http://localhost:3000'])
    assert.is((await knock(url, { origin })).status, 101, origin)
  for (const origin of [
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'http://localhost:3001'
  ]) {
    assert.is((await knock(url, { origin })).status, 403, origin)
  }
  const { url: open } = await startLeaf(['--allow-origin', '*'])
  assert.is((await knock(open, { origin: 'https://anybody.example' })).status, 101)
})

test('an origin that could never match is wrong usage', async () => {
  for (const origin of ['app.example', 'https://app.example/', 'https://app.example/path', '']) {
    const { exited, errors } = run(['serve', '--allow-origin', `https://fine.example,${origin}`])
    assert.is((await exited)[0], 2)
    assert.match(
      errors.join('\n'),
      `An origin is like https://app.example, without a path ("${origin}" is not).`
    )
  }
})

test.run()
