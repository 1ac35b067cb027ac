// Finding mediasoup-worker. The workers here are scripts that start, or do not start, as a worker
// would.

import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { execFileSync } from 'node:child_process'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recipe } from '../../server/worker/compile.mjs'
import { findWorker } from '../../server/worker/index.mjs'

const STARTS = '#!/bin/sh\nexit 41\n'
const DOES_NOT_START = '#!/bin/sh\nexit 127\n'
const COMMANDS = process.env.PATH

let folder: string
let mediasoup: string
let log: string[]

/** findWorker() on a machine that has nothing: no worker, no cache, no network, no compiler. */
const find = ({ env = {}, build = true }: { env?: NodeJS.ProcessEnv; build?: boolean } = {}) =>
  findWorker({
    mediasoup,
    build,
    cache: join(folder, 'cache'),
    env: { PATH: join(folder, 'bin'), MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD: 'true', ...env },
    log: line => log.push(line)
  })

async function executable(path: string, script: string) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, script)
  await chmod(path, 0o755)
  return path
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.unreachable('should have thrown'),
    (error: unknown) => error
  )
  assert.instance(error, Error)
  return (error as Error).message
}

const installed = (type = 'Release') => join(mediasoup, 'worker/out', type, 'mediasoup-worker')
const cached = (origin: string) =>
  join(folder, `cache/mediasoup-worker/3.27.1-${platform()}-${arch()}-${origin}/mediasoup-worker`)

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mafalda-test-'))
  mediasoup = join(folder, 'mediasoup')
  log = []
  await mkdir(mediasoup)
  await writeFile(
    join(mediasoup, 'package.json'),
    JSON.stringify({
      version: '3.27.1',
      repository: { url: 'git+http://127.0.0.1:2/mediasoup.git' }
    })
  )
})

test.after.each(() => rm(folder, { recursive: true }))

test('MEDIASOUP_WORKER_BIN wins over everything', async () => {
  await executable(installed(), STARTS)
  const worker = await executable(join(folder, 'mine'), DOES_NOT_START)
  assert.is(await find({ env: { MEDIASOUP_WORKER_BIN: worker } }), worker)
})

test('MEDIASOUP_WORKER_BIN must exist, be a file and be executable: the error names the path', async () => {
  const nothing = join(folder, 'nothing')
  assert.is(
    await rejection(find({ env: { MEDIASOUP_WORKER_BIN: nothing } })),
    `MEDIASOUP_WORKER_BIN must be the path of an executable file: there is nothing at ${nothing}`
  )
  assert.is(
    await rejection(find({ env: { MEDIASOUP_WORKER_BIN: folder } })),
    `MEDIASOUP_WORKER_BIN must be the path of an executable file: ${folder} is not a file`
  )
  const text = await executable(join(folder, 'text'), STARTS)
  await chmod(text, 0o644)
  assert.is(
    await rejection(find({ env: { MEDIASOUP_WORKER_BIN: text } })),
    `MEDIASOUP_WORKER_BIN must be the path of an executable file: ${text} is not executable, try chmod +x`
  )
})

test("the worker in mediasoup's own folder is used, of the build type that mediasoup would use", async () => {
  await executable(installed('Release'), STARTS)
  await executable(installed('Debug'), STARTS)
  assert.is(await find(), installed('Release'))
  assert.is(await find({ env: { MEDIASOUP_BUILDTYPE: 'Debug' } }), installed('Debug'))
})

test('a worker in the cache is used without a word', async () => {
  const worker = await executable(cached(await recipe()), STARTS)
  assert.is(await find(), worker)
  assert.equal(log, [])
})

test('a worker that was built by another recipe is not used', async () => {
  await executable(cached('00000000'), STARTS)
  await rejection(find({ build: false }))
})

test('a worker that does not start, for lack of a library for example, is as good as none', async () => {
  await executable(installed(), DOES_NOT_START)
  const worker = await executable(cached(await recipe()), STARTS)
  assert.is(await find(), worker)
})

test('without a compiler and without apt-get, the error says which packages to install', async () => {
  const message = await rejection(find())
  assert.match(
    message,
    'mediasoup-worker 3.27.1 has to be built here, which needs more than is installed (spawn cmake ENOENT)'
  )
  assert.match(
    message,
    /apt-get update && .*apt-get install --yes --no-install-recommends g\+\+ cmake ninja-build/
  )
})

test('without the permission to build, the error says where no worker was', async () => {
  const message = await rejection(find({ build: false }))
  assert.match(message, mediasoup)
  assert.match(message, join(folder, 'cache'))
})

/** Offers a script as prebuilt worker, like mediasoup's releases. */
async function releases(script: string, run: (url: string) => Promise<void>) {
  const worker = await executable(join(folder, 'release/mediasoup-worker'), script)
  execFileSync('tar', [
    '-czf',
    join(folder, 'release.tgz'),
    '-C',
    dirname(worker),
    'mediasoup-worker'
  ])
  const archive = await readFile(join(folder, 'release.tgz'))
  const server = createServer(({ url }, response) => {
    const known = url?.startsWith(`/3.27.1/mediasoup-worker-3.27.1-${platform()}-${arch()}`)
    response.writeHead(known ? 200 : 404).end(archive)
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
  }
}

const downloading = (url: string) => ({
  PATH: COMMANDS,
  MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD: '',
  MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: url
})

test("mediasoup's prebuilt worker is downloaded, once", () =>
  releases(STARTS, async url => {
    assert.is(await find({ env: downloading(url) }), cached('prebuilt'))
    assert.is(await find({ env: downloading(url) }), cached('prebuilt'))
    assert.is(log.length, 1)
    assert.match(
      log[0]!,
      `Downloaded mediasoup-worker 3.27.1, prebuilt by the mediasoup project: ${url}/3.27.1/`
    )
  }))

test('a prebuilt worker that does not start here is not kept', () =>
  releases(DOES_NOT_START, async url => {
    await rejection(find({ env: downloading(url), build: false }))
    assert.match(log[0]!, 'does not start on this system')
    assert.match(await rejection(readFile(cached('prebuilt'))), 'ENOENT')
  }))

test('offline, one line says so and the search goes on', async () => {
  const message = await rejection(find({ env: downloading(''), build: false }))
  assert.match(message, 'mediasoup 3.27.1 needs its worker')
  assert.is(log.length, 1)
  assert.match(
    log[0]!,
    /^No prebuilt mediasoup-worker 3.27.1: cannot get http:\/\/127.0.0.1:2\/mediasoup\/releases\/download\/3.27.1\/.*ECONNREFUSED/
  )
})

test.run()
