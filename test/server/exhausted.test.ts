// A host that has none left of something: what needs it is refused with a sentence, nothing ends,
// and all is well when there is some again. Descriptors have a test file of their own.

import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitError, connect } from '../../client/index.ts'
import { codes } from '../../lib/errors.ts'
import { openLog } from '../../server/serve/log.ts'
import { folder } from '../certificates.ts'
import { afterTest, cleanUp, freePort, mock, opus, rejection, until } from '../helper.ts'
import { type TierOptions, filesOf, serveArgs, startMafalda, urlOf } from '../kit/processes.ts'

cleanUp(test)

const isRoot = process.getuid?.() === 0

/** How many threads the user of this process has. */
function threadsOfUser(): number {
  const uid = process.getuid!()
  return readdirSync('/proc').reduce(
    (sum, pid) => sum + (/^\d+$/.test(pid) ? threadsIn(pid, uid) : 0),
    0
  )
}

function threadsIn(pid: string, uid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) return 0
    return Number(/^Threads:\s+(\d+)/m.exec(status)?.[1])
  } catch {
    return 0 // It has ended.
  }
}

function start(args: string[], options: TierOptions) {
  const started = startMafalda(serveArgs(args), options)
  afterTest(() => started.child.kill())
  return started
}

async function listen(started: ReturnType<typeof start>) {
  return { ...started, url: await urlOf(started) }
}

async function use(url: string) {
  const mediasoup = await connect(url, { reconnect: false })
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** Checks that a Worker was refused for want of room on the host. */
function noRoom(error: Error, why: RegExp) {
  assert.instance(error, LimitError)
  assert.is((error as LimitError).code, codes.exhausted)
  assert.match(error.message, why)
}

/** A program in place of the worker, which everybody may run. */
function workerIn(path: string, script?: string): NodeJS.ProcessEnv {
  const worker = join(path, 'mediasoup-worker')
  copyFileSync(localMediasoup.workerBin, worker)
  for (const file of [path, worker]) chmodSync(file, 0o755)
  if (script === undefined) return { ...process.env, MEDIASOUP_WORKER_BIN: worker }
  const program = join(path, 'program')
  writeFileSync(program, `#!/bin/sh\n${script}\nexec ${worker} "$@"\n`, { mode: 0o755 })
  return { ...process.env, MEDIASOUP_WORKER_BIN: program }
}

test('out of memory: a Worker that cannot start is refused', async () => {
  const path = folder()
  const full = join(path, 'full')
  const env = workerIn(path, `if [ -e ${full} ]; then ulimit -v 20000; fi`)
  const { url } = await listen(start([], { env }))
  const mediasoup = await use(url)
  const worker = await mediasoup.createWorker()
  writeFileSync(full, '')
  for (let i = 0; i < 3; i++)
    noRoom(
      await rejection(mediasoup.createWorker()),
      /^the host has no room for another Worker: its process ended at once \(\[pid:\d+, .*\]\)$/
    )
  assert.ok(await worker.dump())
  rmSync(full)
  assert.ok(await (await mediasoup.createWorker()).dump())
})

test('out of processes: a Worker that the system does not start is refused', async () => {
  // Root may have as many processes as it likes.
  const become = isRoot ? ['--import', 'data:text/javascript,process.setuid(54321)'] : []
  const most = isRoot ? 30 : threadsOfUser() + 30
  const { url, child } = await listen(
    start([], {
      env: workerIn(folder()),
      nodeArgs: become,
      prefix: ['prlimit', `--nproc=${most}:${most}`]
    })
  )
  const mediasoup = await use(url)
  const workers: ms.Worker[] = []
  let refusal: Error | undefined
  while (!refusal)
    await mediasoup.createWorker().then(
      worker => workers.push(worker),
      error => (refusal = error)
    )
  noRoom(refusal, /: its process could not be started \(EAGAIN\)$/)
  assert.ok(workers.length)
  const files = filesOf(child.pid!)
  for (let i = 0; i < 5; i++) noRoom(await rejection(mediasoup.createWorker()), /EAGAIN/)
  assert.ok(filesOf(child.pid!) <= files, 'what is refused keeps no descriptor')
  assert.ok(await workers[0]!.dump())
  for (const worker of workers.slice(1)) worker.close()
  const again = await until(() => mediasoup.createWorker().catch(() => false as const))
  assert.ok(await again.dump())
})

test('out of ports: a transport for which none is left is refused', async () => {
  const mediasoup = await mock()
  const port = await freePort()
  const worker = await mediasoup.createWorker({ rtcMinPort: port, rtcMaxPort: port })
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const listenInfos: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]
  const create = () => router.createWebRtcTransport({ listenInfos })
  const transport = await create()
  for (let i = 0; i < 3; i++) assert.match((await rejection(create())).message, /ports/)
  assert.ok(await transport.dump())
  transport.close()
  assert.is((await create()).iceCandidates[0]!.port, port)
})

test('a disk that is full: the tier of a log that cannot be written goes on', async () => {
  const port = await freePort()
  for (const where of ['>/dev/full', '>/dev/full 2>&1']) {
    const { child } = start(['--listen', `127.0.0.1:${port}`, '--log-level', 'trace'], {
      prefix: ['sh', '-c', `exec "$0" "$@" ${where}`]
    })
    const url = `ws://127.0.0.1:${port}`
    const mediasoup = await until(() => use(url).catch(() => false as const))
    assert.ok(await (await mediasoup.createWorker()).dump())
    await rejection(mediasoup.createWorker({ workerBin: '/another' }))
    mediasoup.close()
    assert.ok(await use(url))
    assert.is(child.exitCode, null)
    child.kill()
    await until(() => child.exitCode !== null || child.signalCode !== null)
  }
})

test('a log goes on when there is room again, and says how much was lost', async () => {
  const file = join(folder(), 'log')
  const descriptor = openSync('/dev/full', 'w')
  const log = openLog('info', descriptor)
  for (let i = 0; i < 300; i++) log.info({ padding: 'x'.repeat(10_000) }, `line ${i}`)
  closeSync(descriptor)
  assert.is(openSync(file, 'w'), descriptor) // The lowest that is free.
  afterTest(() => closeSync(descriptor))
  log.info('there is room')
  const lines = await until(() => {
    const text = readFileSync(file, 'utf8')
    return (
      text.includes('were lost') &&
      text
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as { msg: string; lines?: number })
    )
  })
  const kept = lines.filter(({ msg }) => msg.startsWith('line ')).length
  assert.is(lines[0]!.msg, 'line 0')
  assert.is(kept + lines.at(-1)!.lines!, 300)
  assert.ok(kept > 90 && kept < 110, String(kept))
  assert.ok(lines.some(({ msg }) => msg === 'there is room'))
})

test.run()
