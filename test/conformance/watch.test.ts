// The watch for new releases of mediasoup, on a registry that has what is installed here, and a
// release of its own.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { findFolder, installedVersion } from '../../conformance/release.ts'
import { afterTest, cleanUp } from '../helper.ts'

cleanUp(test)

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mafalda-watch-'))
  afterTest(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The installed mediasoup under another version, with files that are changed. */
async function release(version: string, edits: Record<string, (text: string) => string> = {}) {
  const folder = temporary()
  cpSync(await findFolder(), folder, {
    recursive: true,
    filter: path => !path.endsWith('/mediasoup/worker')
  })
  const all = {
    'package.json': (text: string) =>
      text.replace(`"version": "${installedVersion()}"`, `"version": "${version}"`),
    ...edits
  }
  for (const [name, edit] of Object.entries(all)) {
    const before = readFileSync(join(folder, name), 'utf8')
    assert.is.not(edit(before), before, `the edit of ${name} changes something`)
    writeFileSync(join(folder, name), edit(before))
  }
  return folder
}

/** A registry: of mediasoup it has the one in a folder, and of all else what is installed here. */
async function startRegistry(mediasoup: () => string) {
  const server = createServer(({ url = '' }, response) => {
    const [, name = '', isTarball] =
      /^\/(.+?)(\/-\/package\.tgz)?$/.exec(decodeURIComponent(url)) ?? []
    const folder = name === 'mediasoup' ? mediasoup() : join('node_modules', name)
    if (!existsSync(join(folder, 'package.json'))) return response.writeHead(404).end('{}')
    if (isTarball) return response.end(tarballOf(folder))
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const tarball = `http://${address()}/${name}/-/package.tgz`
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        name,
        'dist-tags': { latest: manifest.version },
        versions: { [manifest.version]: { ...manifest, dist: { tarball } } }
      })
    )
  }).listen(0, '127.0.0.1')
  const address = () => `127.0.0.1:${(server.address() as AddressInfo).port}`
  await once(server, 'listening')
  afterTest(() => server.close())
  return `http://${address()}`
}

const tarballOf = (folder: string) =>
  execFileSync(
    'tar',
    ['-cz', '--exclude', './node_modules', '--transform', 's,^[.],package,', '-C', folder, '.'],
    { maxBuffer: 2 ** 30 }
  )

/** The command, with a cache of its own. */
async function watch(registry: string, folder: string, ...more: string[]) {
  const args = [
    'mafalda.ts',
    'conformance',
    'watch',
    '--registry',
    registry,
    '--seen',
    join(folder, 'seen.json')
  ]
  const worker = process.env.MEDIASOUP_WORKER_BIN!
  const tests = ['--tiers', 'leaf', '--files', 'test-ActiveSpeakerObserver', '--worker-bin', worker]
  const child = spawn(process.execPath, [...args, ...tests, ...more], {
    env: {
      ...process.env,
      MAFALDA_CACHE: join(folder, 'cache'),
      npm_config_cache: join(folder, 'npm')
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code: code as number, stdout, stderr }
}

test('a release that differs is reported once, with what differs', async () => {
  const changed = await release('3.99.0', {
    'node/lib/WorkerTypes.d.ts': text =>
      text.replace('get pid(): number;', 'get pid(): number;\n    get nice(): number;'),
    'node/lib/Worker.js': text =>
      text.replace('get pid() {', 'get nice() { return 0 }\n    get pid() {')
  })
  const registry = await startRegistry(() => changed)
  const folder = temporary()
  const first = await watch(registry, folder)
  assert.is(first.code, 3, first.stderr)
  assert.match(first.stdout, /^# mediasoup 3\.99\.0 differs from what Mafalda serves\n/)
  assert.match(first.stdout, /^ +added member Worker\.nice$/m)
  assert.match(first.stdout, /^ +baseline +leaf$/m)
  assert.match(first.stdout, /^ +test-ActiveSpeakerObserver\.js +\d+\/\d+ +\d+\/\d+$/m)

  const again = await watch(registry, folder)
  assert.equal([again.code, again.stdout], [0, '# mediasoup 3.99.0 is not new\n'], again.stderr)
})

test('a release that does not differ is said to be alike, and the installed one is not new', async () => {
  let current = await release('3.99.1')
  const registry = await startRegistry(() => current)
  const folder = temporary()
  const { code, stdout, stderr } = await watch(registry, folder, '--json')
  assert.is(code, 0, stdout + stderr)
  assert.is(JSON.parse(stdout).found.differs, false, stdout)

  current = await findFolder()
  const installed = await watch(registry, folder)
  assert.equal(
    [installed.code, installed.stdout],
    [0, `# mediasoup ${installedVersion()} is not new\n`]
  )
})

test('a release that cannot be used differs', async () => {
  const broken = await release('3.99.2', {
    'node/lib/Worker.js': () => 'throw new Error("no worker for you")'
  })
  const folder = temporary()
  const { code, stdout } = await watch(await startRegistry(() => broken), folder)
  assert.is(code, 3)
  assert.match(stdout, /no worker for you/)
})

test('a registry without mediasoup, and a file that is none of ours, fail with a sentence', async () => {
  const folder = temporary()
  const nothing = await watch(await startRegistry(() => '/nowhere'), folder)
  assert.is(nothing.code, 1)
  assert.match(nothing.stderr, /^mafalda: /m)
  assert.not(existsSync(join(folder, 'seen.json')))

  writeFileSync(join(folder, 'seen.json'), '{}')
  const { code, stderr } = await watch(await startRegistry(() => 'node_modules/mediasoup'), folder)
  assert.is(code, 1)
  assert.match(
    stderr,
    /^mafalda: .*seen\.json must be a list of versions, as this command writes it$/m
  )
})

test.run()
