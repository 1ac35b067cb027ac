// Finding mediasoup-worker. The workers here are scripts that start, or do not start, as a worker
// would.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  writeFile
} from 'node:fs/promises'
import { type RequestListener, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { execFileSync } from 'node:child_process'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recipe } from '../../server/worker/compile.mjs'
import { archiveName } from '../../server/worker/download.mjs'
import { findWorker } from '../../server/worker/index.mjs'
import { authority } from '../certificates.ts'
import { afterTest, cleanUp } from '../helper.ts'

cleanUp(test)

const STARTS = '#!/bin/sh\nexit 41\n'
const DOES_NOT_START = '#!/bin/sh\nexit 127\n'
const COMMANDS = process.env.PATH
const ARCHIVE = archiveName('3.27.1')

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
  folder = await realpath(await mkdtemp(join(tmpdir(), 'mafalda-test-')))
  mediasoup = join(folder, 'mediasoup')
  log = []
  await mkdir(mediasoup)
  await writeFile(
    join(mediasoup, 'package.json'),
    JSON.stringify({
      version: '3.27.1',
      repository: { url: 'git+https://127.0.0.1:2/mediasoup.git' }
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

interface Release {
  url: string
  /** SHA-256 of the archive. */
  hash: string
  /** What was asked for. */
  asked: string[]
}

/** Offers a script as prebuilt worker, like mediasoup's releases. */
async function releases(
  script: string,
  run: (release: Release) => Promise<void>,
  { secure = true } = {}
) {
  const worker = await executable(join(folder, 'release/mediasoup-worker'), script)
  const file = join(folder, 'release.tgz')
  execFileSync('tar', ['-czf', file, '-C', dirname(worker), 'mediasoup-worker'])
  const archive = await readFile(file)
  const asked: string[] = []
  const answer: RequestListener = ({ url = '' }, response) => {
    asked.push(url)
    response.writeHead(url.startsWith(`/3.27.1/${ARCHIVE}`) ? 200 : 404).end(archive)
  }
  const server = secure ? createSecureServer(await certificate(), answer) : createServer(answer)
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  try {
    const url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}`
    await run({ url, hash: createHash('sha256').update(archive).digest('hex'), asked })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** Of an authority that this process then trusts, as those of the system. */
async function certificate() {
  const { ca, issue } = await authority()
  const before = getCACertificates()
  setDefaultCACertificates([...before, await readFile(ca, 'utf8')])
  afterTest(() => setDefaultCACertificates(before))
  const { cert, key } = await issue('releases')
  return { cert: await readFile(cert), key: await readFile(key) }
}

const downloading = ({ url, hash }: { url: string; hash?: string }) => ({
  PATH: COMMANDS,
  MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD: '',
  MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: url,
  MAFALDA_WORKER_SHA256: hash
})
const prebuilt = (hash: string) => cached(`prebuilt-${hash.slice(0, 16)}`)

test('a prebuilt worker with the stated SHA-256 is downloaded, once, and the log says from where', () =>
  releases(STARTS, async ({ url, hash, asked }) => {
    const env = downloading({ url, hash: hash.toUpperCase() })
    assert.is(await find({ env }), prebuilt(hash))
    assert.is(await find({ env }), prebuilt(hash))
    assert.is(asked.length, 1)
    const { host } = new URL(url)
    assert.equal(log, [
      `Downloaded mediasoup-worker 3.27.1 from ${host} (${url}${asked[0]}); its SHA-256 is that of MAFALDA_WORKER_SHA256`
    ])
  }))

test('a prebuilt worker with another SHA-256 is not kept and not run', () =>
  releases('#!/bin/sh\ntouch "$RAN"\nexit 41\n', async ({ url, hash }) => {
    const other = hash.replace(/./g, digit => (digit === '0' ? '1' : '0'))
    const ran = join(folder, 'ran')
    const env = { ...downloading({ url, hash: other }), RAN: ran }
    await rejection(find({ env, build: false }))
    assert.is(log.length, 1)
    assert.match(log[0]!, `its SHA-256 must be ${other} (got ${hash})`)
    assert.not(existsSync(prebuilt(other)))
    assert.not(existsSync(ran))
    assert.is(await find({ env: { ...env, MAFALDA_WORKER_SHA256: hash } }), prebuilt(hash))
    assert.ok(existsSync(ran))
  }))

test('without a known SHA-256 nothing is downloaded', () =>
  releases(STARTS, async ({ url, asked }) => {
    await rejection(find({ env: downloading({ url }), build: false }))
    assert.equal(asked, [])
    assert.is(log.length, 1)
    assert.match(log[0]!, `No prebuilt mediasoup-worker 3.27.1: the SHA-256 of ${ARCHIVE}`)
    assert.match(log[0]!, 'MAFALDA_WORKER_SHA256')
  }))

test('a SHA-256 that is none is refused', async () => {
  assert.is(
    await rejection(find({ env: downloading({ url: '', hash: 'sha256:1' }) })),
    'MAFALDA_WORKER_SHA256 must be 64 hexadecimal digits (got "sha256:1")'
  )
})

test('a worker is never downloaded by http://', () =>
  releases(
    STARTS,
    async ({ url, hash, asked }) => {
      await rejection(find({ env: downloading({ url, hash }), build: false }))
      assert.equal(asked, [])
      assert.match(log[0]!, `the URL must begin with https:// (got ${url})`)
    },
    { secure: false }
  ))

test('a prebuilt worker that does not start here is not kept', () =>
  releases(DOES_NOT_START, async ({ url, hash }) => {
    await rejection(find({ env: downloading({ url, hash }), build: false }))
    assert.match(log[0]!, 'does not start on this system')
    assert.not(existsSync(prebuilt(hash)))
  }))

test('offline, one line says so and the search goes on', async () => {
  const env = downloading({ url: '', hash: '0'.repeat(64) })
  const message = await rejection(find({ env, build: false }))
  assert.match(message, 'mediasoup 3.27.1 needs its worker')
  assert.is(log.length, 1)
  assert.match(
    log[0]!,
    /^No prebuilt mediasoup-worker 3.27.1: cannot get https:\/\/127.0.0.1:2\/mediasoup\/releases\/download\/3.27.1\/.*ECONNREFUSED/
  )
})

test('a worker in the cache that others can write, or replace, is not run', async () => {
  const worker = await executable(cached(await recipe()), STARTS)
  for (const [path, mode] of [
    [worker, 0o757],
    [worker, 0o775],
    [dirname(worker), 0o777],
    [join(folder, 'cache'), 0o777]
  ] as const) {
    await chmod(path, mode)
    const message = await rejection(find())
    assert.match(message, 'must be writable by this user and root only')
    assert.match(message, `${path} has the mode ${mode.toString(8)}`)
    await chmod(path, 0o755)
    assert.is(await find(), worker)
  }
})

test('a cache that others can write is refused before anything is put there', () =>
  releases(STARTS, async ({ url, hash, asked }) => {
    await mkdir(join(folder, 'cache'))
    await chmod(join(folder, 'cache'), 0o777)
    assert.match(
      await rejection(find({ env: downloading({ url, hash }) })),
      'must be writable by this user and root only'
    )
    assert.equal(asked, [])
  }))

if (process.getuid?.() === 0)
  test('a worker in the cache that belongs to another user is not run', async () => {
    const worker = await executable(cached(await recipe()), STARTS)
    await chown(worker, 65_534, 65_534)
    assert.match(await rejection(find()), `${worker} belongs to the user 65534`)
  })

test('what is put into the cache is not writable by others, whatever the umask is', () =>
  releases(STARTS, async ({ url, hash }) => {
    const before = process.umask(0)
    afterTest(() => process.umask(before))
    const worker = await find({ env: downloading({ url, hash }) })
    for (const path of [worker, dirname(worker), join(folder, 'cache')])
      assert.is((await stat(path)).mode & 0o022, 0, path)
  }))

test.run()
