// A cluster whose hosts get another release of mediasoup, one after another.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, connect, remote } from '../../../client/index.ts'
import { ConnectionError, IncompatibleError } from '../../../lib/errors.ts'
import type { Hello } from '../../../lib/hello.ts'
import { type Link, type Tier, channel } from '../../../lib/tier.ts'
import { decode, encodeResult } from '../../../lib/wire.ts'
import { type HorizontalOptions, horizontal } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, rejection, startLeaf, until } from '../../helper.ts'

cleanUp(test)

const OLD = { mediasoup: '3.26.0' }
const NEW = { mediasoup: '3.26.1' }

interface Host extends Tier {
  /** Ends its sessions, and takes new ones as what was installed meanwhile. */
  restart(said: Partial<Hello>): void
  /** Ends its sessions, and takes no new ones. */
  stop(): void
}

/** A host, by what it says of itself. */
function host(name: string, said: Partial<Hello>): Host {
  const tier = leaf(localMediasoup)
  const links = new Set<Link>()
  let isThere = true
  const stop = () => {
    isThere = false
    for (const link of links) link.close(new ConnectionError(`${name} restarts`))
  }
  return {
    name,
    async open() {
      if (!isThere) throw new ConnectionError(`${name} is away`)
      const inner = await tier.open()
      const [ours, theirs] = channel()
      links.add(ours)
      ours.on('frame', frame => inner.send(frame))
      ours.on('close', () => {
        links.delete(ours)
        inner.close()
      })
      inner.on('close', error => ours.close(error))
      inner.on('frame', frame => {
        const message = decode(frame)
        const hello = 'result' in message ? (message.result as Hello | null) : undefined
        ours.send(hello?.protocol ? encodeResult(message.id!, { ...hello, ...said }) : frame)
      })
      return theirs
    },
    close: () => tier.close(),
    stop,
    restart(now) {
      stop()
      said = now
      isThere = true
    }
  }
}

function cluster(hosts: Host[], options?: HorizontalOptions) {
  const tier = horizontal(hosts, options)
  afterTest(() => tier.close())
  const up = new Set<string>()
  const refused: string[] = []
  tier.on('up', ({ name }) => up.add(name!))
  tier.on('down', ({ name }) => up.delete(name!))
  tier.on('refused', ({ name }, error) => {
    assert.instance(error, IncompatibleError)
    up.delete(name!)
    refused.push(`${name}: ${error.message}`)
  })
  const are = (...names: string[]) => until(() => [...up].toSorted().join() === names.join())
  return { tier, refused, are }
}

const fromOldToNew = 'the host has mediasoup 3.26.1, and its siblings have 3.26.0'
const fromNewToOld = 'the host has mediasoup 3.26.0, and its siblings have 3.26.1'

test('hosts that are upgraded one after another all come back, and the others go on meanwhile', async () => {
  const [a, b, c] = [host('a', OLD), host('b', OLD), host('c', OLD)]
  const { tier, refused, are } = cluster([a, b, c])
  await are('a', 'b', 'c')
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())

  a.restart(NEW)
  await until(() => refused.length === 1)
  await are('b', 'c')
  assert.not((await mediasoup.createWorker()).closed)

  // Now most have the new one.
  b.stop()
  await are('c')
  const last = await mediasoup.createWorker()
  b.restart(NEW)
  await are('a', 'b')
  assert.equal(refused, [`a: ${fromOldToNew}`, `c: ${fromNewToOld}`])
  assert.ok(await last.getResourceUsage(), 'a Worker lives on a host that gets no new ones')
  assert.not((await mediasoup.createWorker()).closed)

  c.restart(NEW)
  await are('a', 'b', 'c')
  assert.is(last.closed, true)
  assert.is(tier.size, 3)
  assert.is(refused.length, 2)
})

test('of two hosts, the upgraded one takes over when the other one is stopped', async () => {
  const [a, b] = [host('a', OLD), host('b', OLD)]
  const { tier, refused, are } = cluster([a, b])
  await are('a', 'b')
  a.restart(NEW)
  await until(() => refused.length === 1)
  await are('b')
  b.stop()
  await are('a')
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  assert.is(mediasoup.version, '3.26.1')
  b.restart(NEW)
  await are('a', 'b')
  assert.equal(refused, [`a: ${fromOldToNew}`])
})

test('a host that is refused again and again for the same reason is told once', async () => {
  const [a, b, c] = [host('a', OLD), host('b', OLD), host('c', NEW)]
  const { refused, are } = cluster([a, b, c])
  await until(() => refused.length === 1)
  for (let i = 0; i < 3; i++) c.restart(NEW)
  c.restart({ mediasoup: '3.26.2' })
  await until(() => refused.length === 2)
  assert.equal(
    refused.map(why => why.slice(0, 32)),
    ['c: the host has mediasoup 3.26.1', 'c: the host has mediasoup 3.26.2']
  )
  c.restart(OLD)
  await are('a', 'b', 'c')
})

test('a session gets no Worker on a host that describes mediasoup in another way than when it began', async () => {
  const [a, b] = [host('a', OLD), host('b', { ...OLD, model: 'another' })]
  const { tier, refused, are } = cluster([a, b])
  await until(() => refused.length === 1)
  assert.match(refused[0]!, /b: the host describes mediasoup 3\.26\.0 in another way than/)
  const mediasoup = await client(tier, { reconnect: false })
  afterTest(() => mediasoup.close())
  a.stop()
  await are('b')
  assert.match(
    (await rejection(mediasoup.createWorker())).message,
    /^the host b describes mediasoup in another way than those that the session began on$/
  )
})

test('mafalda serve --mixed-versions gives Workers to hosts with different versions of mediasoup', async () => {
  const servers = [await serve(host('a', OLD)), await serve(host('b', NEW))]
  afterTest(() => Promise.all(servers.map(server => server.close())))
  const urls = servers.map(({ url }) => url)

  const strict = await startLeaf(urls)
  await until(() =>
    strict.lines.some(
      line => line.includes('host refused') && line.includes('and its siblings have')
    )
  )
  const mixed = await startLeaf(['--mixed-versions', ...urls])
  await until(() => mixed.lines.filter(line => line.includes('host is up')).length === 2)
  const mediasoup = await connect(mixed.url)
  afterTest(() => mediasoup.close())
  const workers = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const places = await Promise.all(workers.map(worker => mediasoup.connection.locate(worker)))
  assert.is(new Set(places.map(({ node }) => node)).size, 2)
})

test('a host that is there twice is refused with a sentence', async () => {
  const server = await serve(leaf(localMediasoup))
  afterTest(() => server.close())
  const twice = [remote(server.url), remote(`${server.url}/`)]
  assert.throws(
    () => horizontal(twice),
    new RegExp(`^a cluster has each host once \\(got ${server.url}/ twice\\)$`)
  )

  const { refused, are } = cluster([
    Object.assign(remote(server.url), { name: 'a' }),
    Object.assign(remote(server.url), { name: 'b' })
  ] as Host[])
  await until(() => refused.length === 1)
  const [[one], [other]] = [refused[0]!.split(':'), [refused[0]!.startsWith('a') ? 'b' : 'a']]
  await are(other!)
  assert.is(refused[0], `${one}: the host is ${other}, which is in the cluster already`)
  assert.is(server.sessions, 2, 'the cluster that was refused has left nothing')
})

test.run()
