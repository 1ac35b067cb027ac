// A client whose tier was replaced: what it had in flight, and what is left of what it had.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { UnknownOutcomeError, client } from '../../client/index.ts'
import type { Frame, Link, Tier } from '../../lib/tier.ts'
import { encodeNotification } from '../../lib/wire.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, cleanUp, isAlive, rejection, until } from '../helper.ts'

cleanUp(test)

/** A client of a leaf, on a link whose frames are seen, and held back when that is asked for. */
async function stage() {
  const inner = leaf(localMediasoup)
  const links: Link[] = []
  const held: (() => void)[] = []
  const sent: string[] = []
  let holds = (_frame: Frame) => false
  const tier: Tier = {
    async open() {
      const link = await inner.open()
      const [emit, send] = [
        link.emit.bind(link) as (event: string, ...args: unknown[]) => boolean,
        link.send.bind(link)
      ]
      link.emit = ((event: string, ...args: unknown[]) => {
        if (event !== 'frame' || !holds(args[0] as Frame)) return emit(event, ...args)
        held.push(() => emit(event, ...args))
        return true
      }) as typeof link.emit
      link.send = (frame, head) => {
        sent.push(String(frame))
        send(frame, head)
      }
      links.push(link)
      return link
    },
    close: () => inner.close()
  }
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  const heard: unknown[] = []
  mediasoup.connection.on('died', () => heard.push('died'))
  mediasoup.connection.on('regained', isResumed => heard.push(isResumed))
  const logged: string[] = []
  mediasoup.setLogEventListeners({ onerror: (_namespace, message) => logged.push(message) })
  return {
    mediasoup,
    sent,
    heard,
    held,
    logged,
    hold(which: (frame: Frame) => boolean) {
      holds = which
    },
    letGo() {
      holds = () => false
      for (const deliver of held.splice(0)) deliver()
    },
    /** Another process is in the place of the tier. */
    replace() {
      const [link] = links
      link!.emit('lost', new Error('it was killed'))
      link!.emit('regained', true)
      link!.emit('frame', encodeNotification('tier.forgot', []))
    }
  }
}

const closes = (sent: string[]) =>
  sent.filter(frame => frame.includes('"DirectTransport.close"')).length

test('an answer to a call that was given up is late, and what it brings is closed', async () => {
  const { mediasoup, sent, heard, held, logged, hold, letGo, replace } = await stage()
  const router = await (await mediasoup.createWorker()).createRouter()
  hold(frame => /"result":\{"\$":"[^"]+","kind":"DirectTransport"/.test(String(frame)))
  const call = rejection(router.createDirectTransport())
  await until(() => held.length)
  replace()
  assert.instance(await call, UnknownOutcomeError)
  await until(() => heard.length)
  assert.equal(heard, [true])
  await until(async () => (await router.dump()).transportIds.length === 0)
  assert.is(closes(sent), 1, 'it was recalled, and nobody knew it')
  letGo()
  await until(() => closes(sent) === 2)
  assert.equal(logged, [])
})

test('that a session is regained is told after what has become of its objects', async () => {
  const { mediasoup, heard, held, hold, letGo, replace } = await stage()
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()] as const
  const router = await workers[1].createRouter()
  hold(frame => !String(frame).includes('"tier.forgot"'))
  process.kill(workers[0].pid, 'SIGKILL')
  await until(() => !isAlive(workers[0].pid))
  await until(() => held.length) // It died; what it says of that is lost.
  held.splice(0)
  workers[0].on('died', () => heard.push('Worker died'))
  replace()
  await until(() => held.length >= 2)
  assert.equal(heard, [])
  letGo()
  await until(() => heard.includes(true))
  assert.equal(heard, ['Worker died', true])
  assert.not.ok(router.closed)
})

test('a session of which nothing is left has died', async () => {
  const { mediasoup, heard, held, hold, letGo, replace } = await stage()
  const worker = await mediasoup.createWorker()
  hold(() => true)
  process.kill(worker.pid, 'SIGKILL')
  await until(() => !isAlive(worker.pid))
  await until(() => held.length)
  held.splice(0)
  letGo()
  replace()
  await until(() => heard.includes(false))
  assert.equal(heard, ['died', false])
  assert.ok(worker.closed)
  assert.ok(await mediasoup.createWorker())
})

test('a session that had nothing has lost nothing', async () => {
  const { mediasoup, heard, replace } = await stage()
  replace()
  await until(() => heard.length)
  assert.equal(heard, [true])
  assert.ok(await mediasoup.createWorker())
})

test.run()
