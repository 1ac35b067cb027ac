// A command that starts and ends hosts: when it is run, with what, and by which registry.

import { EventEmitter } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DrainOptions } from '../../lib/drain.ts'
import type { ScaledHost, Wanted } from '../../lib/wanted.ts'
import { commandAt } from '../../registry/scale/command.ts'
import type { ScaledCluster } from '../../registry/scale/leaving.ts'
import { Scaler } from '../../registry/scale/scaler.ts'
import { MemoryStore } from '../../registry/index.ts'
import { afterTest, cleanUp, rejection, until } from '../helper.ts'

cleanUp(test)

const NOTHING: Wanted = {
  hosts: 1,
  now: 1,
  starting: 0,
  draining: 0,
  cores: 0,
  reason: '',
  hpaHosts: 1,
  asked: 0,
  keep: []
}

/** A cluster that wants what a test says. */
class Wishes
  extends EventEmitter<{ drained: [host: { readonly name?: string }] }>
  implements ScaledCluster
{
  wanted: Wanted | undefined = NOTHING
  hosts: ScaledHost[] = []
  readonly asked: [name: string, options: DrainOptions][] = []

  async drain(name: string, options: DrainOptions = {}) {
    this.asked.push([name, options])
  }

  want(wanted: Partial<Wanted>) {
    this.wanted = { ...NOTHING, ...wanted }
  }
}

/** A program that notes how it was run, in a folder of its own, and then does what a shell does. */
async function startCommand(then = '') {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-scale-'))
  afterTest(() => rm(folder, { recursive: true }))
  const [file, runs] = [join(folder, 'command'), join(folder, 'runs')]
  await writeFile(file, `#!/bin/sh\ncd "${folder}"\necho "$*" >> runs\n${then}\n`)
  await chmod(file, 0o755)
  await writeFile(runs, '')
  return { file, runs: async () => (await readFile(runs, 'utf8')).split('\n').filter(Boolean) }
}

const logged: [facts: Record<string, unknown>, text: string][] = []
const tell = (facts: object, text: string) => void logged.push([{ ...facts }, text])
const log = { info: tell, warn: tell }

function startScaler(
  cluster: Wishes,
  file: string,
  { store = new MemoryStore(), registry = 'one', timeout = 60_000 } = {}
) {
  const scaler = new Scaler({
    cluster,
    command: commandAt(file, { timeout, log }),
    store,
    registry,
    lease: 300,
    drainDeadline: 60_000,
    log
  })
  afterTest(() => scaler.close())
  return scaler
}

test('hosts are started once, with their number, and a host that is wanted later by itself', async () => {
  const [cluster, { file, runs }] = [new Wishes(), await startCommand()]
  startScaler(cluster, file)
  cluster.want({ asked: 3, starting: 3 })
  await until(async () => (await runs()).length === 1)
  cluster.want({ asked: 4, starting: 2 })
  await until(async () => (await runs()).length === 2)
  assert.equal(await runs(), ['up 3', 'up 1'])
})

test('it is run again when it fails, for those that have not come by themselves; and its output is logged', async () => {
  const command = await startCommand('echo "no money"; [ $(wc -l < runs) -gt 1 ]')
  const cluster = new Wishes()
  startScaler(cluster, command.file)
  cluster.want({ asked: 3, starting: 3 })
  await until(async () => (await command.runs()).length === 1)
  cluster.want({ asked: 3, starting: 2 })
  await until(async () => (await command.runs()).length === 2)
  assert.equal(await command.runs(), ['up 3', 'up 2'])
  assert.ok(logged.some(([{ line }]) => line === 'no money'))
  assert.ok(logged.some(([{ reason }]) => String(reason).includes('up 3 exited with 1')))
})

test('no shell reads its arguments, and it is ended when it takes too long', async () => {
  const { file, runs } = await startCommand()
  const url = 'ws://media:4000/?a=$(id);b&c d'
  await commandAt(file, { timeout: 60_000, log })('down', url)
  assert.equal(await runs(), [`down ${url}`])
  const slow = await startCommand('exec sleep 60')
  const late = commandAt(slow.file, { timeout: 100, log })('up', '1')
  assert.match((await rejection(late)).message, 'was ended by SIGTERM')
  const gone = commandAt('/nowhere/command', { timeout: 100, log })('up', '1')
  assert.match((await rejection(gone)).message, 'ENOENT')
})

test('a host that is given back drains, and its machine is given back when it has ended', async () => {
  const [cluster, { file, runs }] = [new Wishes(), await startCommand()]
  startScaler(cluster, file)
  cluster.want({ remove: 'ws://b' })
  await until(() => cluster.asked.length)
  cluster.emit('drained', { name: 'ws://other' })
  cluster.emit('drained', { name: 'ws://b' })
  await until(async () => (await runs()).length)
  assert.equal(await runs(), ['down ws://b'])
  assert.equal(cluster.asked[0], ['ws://b', { deadline: 60_000 }])
})

test('a host that is needed again is kept, and its machine is not given back', async () => {
  const [cluster, { file, runs }] = [new Wishes(), await startCommand()]
  startScaler(cluster, file)
  cluster.want({ remove: 'ws://b' })
  await until(() => cluster.asked.length)
  cluster.want({ keep: ['ws://b'] })
  await until(() => cluster.asked.length === 2)
  assert.equal(cluster.asked[1], ['ws://b', { cancel: true }])
  cluster.emit('drained', { name: 'ws://b' })
  cluster.want({ asked: 1, starting: 1 })
  await until(async () => (await runs()).length)
  assert.equal(await runs(), ['up 1'])
})

test('of two registries one runs it; when that is gone the other does, and finishes its drains', async () => {
  const { file, runs } = await startCommand()
  const store = new MemoryStore()
  const [one, other] = [new Wishes(), new Wishes()]
  const leader = startScaler(one, file, { store })
  await until(() => logged.some(([{ leads }]) => leads))
  startScaler(other, file, { store, registry: 'other' })
  for (const cluster of [one, other]) cluster.want({ asked: 2, starting: 2 })
  await until(async () => (await runs()).length)
  leader.close()
  const draining = { name: 'ws://b', draining: true } as ScaledHost
  other.hosts = [draining]
  await until(() => other.asked.length)
  assert.equal(other.asked, [['ws://b', {}]])
  other.emit('drained', { name: 'ws://b' })
  other.want({ asked: 3, starting: 3 })
  await until(async () => (await runs()).length === 3)
  assert.equal((await runs()).toSorted(), ['down ws://b', 'up 1', 'up 2'])
})

test('nothing is run while the store is away', async () => {
  const { file, runs } = await startCommand()
  let isAway = true
  const store = new MemoryStore()
  const lead = store.lead.bind(store)
  let asked = 0
  store.lead = async (...args) => {
    asked++
    if (isAway) throw new Error('the store is away')
    return lead(...args)
  }
  const cluster = new Wishes()
  startScaler(cluster, file, { store })
  cluster.want({ asked: 1, starting: 1 })
  await until(() => asked > 8)
  assert.equal(await runs(), [])
  isAway = false
  await until(() => logged.some(([{ leads }]) => leads))
  cluster.want({ asked: 2, starting: 2 })
  await until(async () => (await runs()).length)
})

test.run()
