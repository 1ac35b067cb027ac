// A relay passes bytes as they are, and breaks, freezes, hangs or slows connections when it is told
// to.

import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RelayOptions, startRelay } from '../../conformance/relay.ts'
import { afterTest, cleanUp, rejection, until } from '../helper.ts'

cleanUp(test)

/**
 * A server that answers with what it is sent, a relay in front of it, and what opens connections.
 */
async function stage(options?: RelayOptions) {
  const server = createServer(socket => void socket.on('error', () => {}).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  const { port } = server.address() as AddressInfo
  const relay = await startRelay(`ws://127.0.0.1:${port}/`, options)
  afterTest(() => relay.close())
  return { relay, open: () => open(relay.url) }
}

async function open(url: string) {
  const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {}) // `closed` tells.
  afterTest(() => socket.destroy())
  let heard = ''
  let isClosed = false
  socket.setEncoding('utf8').on('data', chunk => {
    heard += chunk
  })
  socket.on('close', () => {
    isClosed = true
  })
  await once(socket, 'connect')
  return {
    say: (text: string) => socket.write(text),
    hears: (text: string) => until(() => heard === text),
    heard: () => heard,
    closed: () => until(() => isClosed),
    isClosed: () => isClosed
  }
}

test('what one end says the other one hears, as it is', async () => {
  const { relay, open } = await stage()
  const [one, other] = [await open(), await open()]
  one.say('x'.repeat(1_000_000))
  other.say('hello')
  await one.hears('x'.repeat(1_000_000))
  await other.hears('hello')
  assert.is(relay.connections, 2)
})

test('all connections break at once, and new ones work', async () => {
  const { relay, open } = await stage()
  const [one, other] = [await open(), await open()]
  one.say('a')
  await one.hears('a')
  relay.breakAll()
  await one.closed()
  await other.closed()
  const third = await open()
  third.say('b')
  await third.hears('b')
})

test('what is frozen waits, on new connections, too, and passes after the thaw', async () => {
  const { relay, open } = await stage()
  const one = await open()
  one.say('a')
  await one.hears('a')
  relay.freeze()
  one.say('b')
  const other = await open()
  other.say('c')
  // A relay that had not frozen would have passed these before what a third one says and hears.
  const bystander = await stage()
  const third = await bystander.open()
  third.say('d')
  await third.hears('d')
  assert.equal([one.heard(), other.heard()], ['a', ''])
  relay.thaw()
  await one.hears('ab')
  await other.hears('c')
})

test('what hangs stays open and passes nothing, while new connections work', async () => {
  const { relay, open } = await stage()
  const one = await open()
  one.say('a')
  await one.hears('a')
  relay.hang()
  one.say('b')
  const other = await open()
  other.say('c')
  await other.hears('c')
  assert.is(one.heard(), 'a')
  assert.not.ok(one.isClosed())
  relay.breakAll()
  await one.closed()
})

test('a chunk takes as long as it is told to at least', async () => {
  const { relay, open } = await stage()
  const one = await open()
  relay.slow({ delay: 100, rate: 1_000 })
  const begin = performance.now()
  one.say('x'.repeat(50))
  await one.hears('x'.repeat(50))
  // Both ways; a timer may be early by a millisecond.
  assert.ok(performance.now() - begin >= 2 * (100 + 50) - 4)
  relay.slow({})
})

test('a connection ends when it is as old as it may be', async () => {
  const lifetimes = [50, undefined]
  const { open } = await stage({ lifetime: () => lifetimes.shift() })
  const [mortal, other] = [await open(), await open()]
  await mortal.closed()
  other.say('a')
  await other.hears('a')
})

test('a connection breaks behind the bytes that may still pass', async () => {
  const inspect: RelayOptions['inspect'] = direction => () => (direction === 'down' ? 3 : undefined)
  const { open } = await stage({ inspect })
  const one = await open()
  one.say('hello')
  await one.hears('hel')
  await one.closed()
})

test('a tier with TLS is refused: its certificate is not that of a relay', async () => {
  const error = await rejection(startRelay('wss://127.0.0.1:1'))
  assert.instance(error, TypeError)
  assert.is(
    error.message,
    'a relay takes the URL of a tier without TLS, like ws://host:port (got wss://127.0.0.1:1)'
  )
})

test.run()
