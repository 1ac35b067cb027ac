// What `npm install mafalda` gives, in a project of its own.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { version } from '../lib/version.ts'
import packageJson from '../package.json' with { type: 'json' }
import { afterTest, cleanUp, startLeaf } from './helper.ts'

cleanUp(test)

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = join(root, 'node_modules/.bin/tsc')

/** The project that depends on ours. */
let project: string
/** What is in the package. */
let files: string[]

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program in the project, without a worker unless one is given. */
function run(
  program: string,
  args: string[],
  { cwd = project, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {}
): Promise<Ended> {
  return new Promise(resolve => {
    execFile(
      program,
      args,
      {
        cwd,
        env: { ...process.env, MEDIASOUP_WORKER_BIN: '/nowhere', NODE_V8_COVERAGE: '', ...env }
      },
      (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
    )
  })
}

async function succeed(...command: Parameters<typeof run>): Promise<string> {
  const { code, stdout, stderr } = await run(...command)
  assert.is(code, 0, `${command[0]} ${command[1].join(' ')}: ${stdout}${stderr}`)
  return stdout
}

test.before(async () => {
  project = await mkdtemp(join(tmpdir(), 'mafalda-project-'))
  // With its scripts: they build what is not built yet.
  const packed = await succeed('npm', ['pack', '--json', '--pack-destination', project], {
    cwd: root,
    env: { MEDIASOUP_WORKER_BIN: process.env.MEDIASOUP_WORKER_BIN }
  })
  const [{ filename, files: list }] = JSON.parse(packed)
  files = list.map(({ path }: { path: string }) => path)
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ name: 'app', type: 'module', private: true })
  )
  const types = `@types/node@${packageJson.devDependencies['@types/node']}`
  const mediasoup = `mediasoup@${packageJson.devDependencies.mediasoup}`
  await succeed('npm', [
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    `./${filename}`,
    mediasoup,
    types
  ])
})

test.after(() => rm(project, { recursive: true, force: true }))

test('the package has what runs, its types and its protocol, and nothing else', () => {
  for (const file of [
    'dist/index.js',
    'dist/client.js',
    'dist/browser.js',
    'dist/monitor/index.html',
    'dist/LICENSES.txt',
    'dist/server.js',
    'dist/conformance.js',
    'dist/mafalda.js',
    'dist/register.js',
    'register/mediasoup.cjs',
    'dist/types/index.d.ts',
    'lib/PROTOCOL.md'
  ]) {
    assert.ok(files.includes(file), file)
  }
  const allowed =
    /^(dist\/|server\/worker\/|register\/mediasoup\.cjs$|lib\/PROTOCOL\.md$|package\.json$|README|LICENSE|CHANGELOG|SECURITY)/
  assert.equal(
    files.filter(file => !allowed.test(file)),
    []
  )
  assert.equal(
    files.filter(file => /\.test\.|(?<!\.d)\.ts$/.test(file)),
    []
  )
})

/** The complaints of the type checker about a program in the project, on its strictest. */
async function complaints(source: string): Promise<string[]> {
  const folder = await mkdtemp(join(project, 'types-'))
  afterTest(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'app.ts'), source)
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: false,
    noEmit: true
  }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['app.ts'] })
  )
  const { code, stdout, stderr } = await run(tsc, ['-p', folder, '--pretty', 'false'])
  assert.is(stderr, '')
  const lines = stdout.split('\n').filter(line => line.includes('error TS'))
  assert.is(code === 0, lines.length === 0, stdout)
  return lines
}

test('its types pass the strictest type checker, as far as those of mediasoup do', async () => {
  const ofMediasoup = await complaints(`
    import * as mediasoup from 'mediasoup'
    import type * as types from 'mediasoup/types'
    export const app: [typeof mediasoup, types.Worker?] = [mediasoup]
  `)
  const ofOurs = await complaints(`
    import * as mafalda from 'mafalda'
    import { connect, ConnectionError, RemoteMediasoupClient } from 'mafalda/client'
    import { horizontal, vertical } from 'mafalda/proxy'
    import { leaf, serve, type Server } from 'mafalda/server'
    import { conformance } from 'mafalda/conformance'
    import { TierClient, type SurveyEntry } from 'mafalda/browser'
    import * as localMediasoup from 'mediasoup'
    import type { types } from 'mediasoup'

    // A program written for mediasoup.
    async function app(mediasoup: typeof import('mediasoup')): Promise<types.WebRtcTransport> {
      const worker: types.Worker<{ name: string }> = await mediasoup.createWorker({ logLevel: 'warn', appData: { name: 'mine' } })
      worker.on('died', error => console.error(error.message, worker.appData.name.length))
      const router = await worker.createRouter({ mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 }] })
      return router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '0.0.0.0' }] })
    }

    const remote = await connect('ws://127.0.0.1:4000', { reconnect: false, timeout: 1000 })
    await app(remote)
    remote.connection.on('lost', error => console.error(error.message))
    remote.close()
    await app(await mafalda.client(mafalda.leaf(localMediasoup)))
    const server: Server = await serve(leaf(localMediasoup, { announcedAddress: '203.0.113.7' }), { port: 0 })
    console.log(server.url, conformance, ConnectionError)
    const tree: mafalda.Tier = vertical(horizontal([mafalda.remote(server.url)]))
    tree.close()
    const client = new RemoteMediasoupClient({ url: server.url })
    client.on('mediasoup', mediasoup => mediasoup && app(mediasoup))
    const survey = new TierClient(server.url, { token: 'a token' }).survey({ detail: 'workers' })
    survey.onChange(({ changed }: { changed: SurveyEntry[] }) => console.log(changed.length, survey.entries.size))
  `)
  assert.equal(
    ofOurs.filter(line => !ofMediasoup.includes(line)),
    []
  )
})

test('its types know what is wrong', async () => {
  const lines = await complaints(`
    import { connect } from 'mafalda/client'
    const mediasoup = await connect('ws://127.0.0.1:4000')
    await mediasoup.createWorker({ logLevel: 'loud' })
  `)
  const ofApp = lines.filter(line => line.includes('app.ts'))
  assert.is(ofApp.length, 1)
  assert.match(ofApp[0]!, `Type '"loud"' is not assignable`)
})

const evaluate = (source: string, options?: Parameters<typeof run>[2]) =>
  succeed(process.execPath, ['--input-type=module', '--eval', source], options)

test('each entry can be imported, and an error has the same class whichever it is imported from', async () => {
  const said = await evaluate(`
    const [all, client, server, proxy, conformance, registry] = await Promise.all(['mafalda', 'mafalda/client', 'mafalda/server', 'mafalda/proxy', 'mafalda/conformance', 'mafalda/registry'].map(name => import(name)))
    console.log(JSON.stringify([typeof client.connect, typeof server.serve, typeof all.leaf, typeof conformance.conformance, all.ConnectionError === client.ConnectionError, all.vertical === proxy.vertical, typeof registry.openRegistry]))
  `)
  assert.equal(JSON.parse(said), [
    'function',
    'function',
    'function',
    'function',
    true,
    true,
    'function'
  ])
})

test('what it exports is a list', async () => {
  const names = await evaluate(
    "console.log(Object.keys(await import('mafalda')).toSorted().join(' '))"
  )
  assert.is(
    names.trim(),
    [
      'AccessError',
      'ConnectionError',
      'DrainingError',
      'IncompatibleError',
      'LimitError',
      'ProtocolError',
      'RemoteMediasoupClient',
      'SCOPES',
      'SURVEY_DETAILS',
      'SessionError',
      'UnknownOutcomeError',
      'client',
      'connect',
      'eventsIn',
      'horizontal',
      'leaf',
      'remote',
      'serve',
      'vertical'
    ].join(' ')
  )
})

test('an application and its tiers have one mediasoup, and so the same classes of errors', async () => {
  const folders = (await readdir(join(project, 'node_modules'), { recursive: true })).filter(path =>
    /(^|\/)mediasoup$/.test(path)
  )
  assert.equal(folders, ['mediasoup'])
  const said = await evaluate(
    `
    import * as mediasoup from 'mediasoup'
    import { client, leaf } from 'mafalda'
    const mocked = await client(leaf(mediasoup))
    const worker = await mocked.createWorker()
    const mediaCodecs = [{ kind: 'audio', mimeType: 'audio/unheard-of', clockRate: 8000 }]
    const error = await worker.createRouter({ mediaCodecs }).catch(error => error)
    console.log(error instanceof mediasoup.errors.UnsupportedError, error.message)
    mocked.close()
  `,
    { env: { MEDIASOUP_WORKER_BIN: process.env.MEDIASOUP_WORKER_BIN } }
  )
  assert.match(said, /^true media codec not supported/)
})

test('the Node.js that it asks for is new enough for all that it needs', async () => {
  const least = (range = '') =>
    /(\d+)(?:\.(\d+))?/
      .exec(range)
      ?.slice(1)
      .map(part => Number(part ?? 0)) ?? [0, 0]
  const [major = 0, minor = 0] = least(packageJson.engines.node)
  for (const name of Object.keys({
    ...packageJson.dependencies,
    ...packageJson.peerDependencies
  })) {
    const { engines } = JSON.parse(
      await readFile(join(project, 'node_modules', name, 'package.json'), 'utf8')
    )
    const [theirs = 0, minorOfTheirs = 0] = least(engines?.node)
    assert.ok(
      theirs < major || (theirs === major && minorOfTheirs <= minor),
      `${name} needs Node.js ${engines?.node}`
    )
  }
})

test('a machine with a client only has no worker', async () => {
  const files = await readdir(join(project, 'node_modules/mediasoup'), { recursive: true })
  assert.equal(
    files.filter(path => /^worker\/out\/|mediasoup-worker(\.exe)?$/.test(path)),
    []
  )
})

test('what is not exported cannot be imported', async () => {
  const { code, stderr } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    "await import('mafalda/dist/client.js')"
  ])
  assert.is.not(code, 0)
  assert.match(stderr, 'ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('a machine that has no worker can use one that has', async () => {
  const { url } = await startLeaf()
  const source = `
    import { connect } from 'mafalda/client'
    const mediasoup = await connect(${JSON.stringify(url)})
    const worker = await mediasoup.createWorker()
    const router = await worker.createRouter()
    console.log((await router.dump()).id === router.id)
    mediasoup.close()
  `
  assert.is(await evaluate(source), 'true\n')
  assert.is(await evaluate(source, { env: { MEDIASOUP_WORKER_BIN: undefined } }), 'true\n')
})

test('with the preload, an application that imports mediasoup uses that machine, too', async () => {
  const { url } = await startLeaf()
  const source = `
    import * as mediasoup from 'mediasoup'
    const worker = await mediasoup.createWorker()
    console.log((await worker.createRouter()).closed)
    worker.close()
  `
  const args = ['--import', 'mafalda/register', '--input-type=module', '--eval', source]
  assert.is(await succeed(process.execPath, args, { env: { MAFALDA_URL: url } }), 'false\n')
})

test('the command is there', async () => {
  assert.is(await succeed('npx', ['--no-install', 'mafalda', '--version']), `${version}\n`)
  assert.match(
    await succeed('npx', ['--no-install', 'mafalda', 'serve', '--help']),
    'Usage: mafalda serve'
  )
})

test('the installed command serves the worker that it is given', async () => {
  const said = await evaluate(
    `
    import { spawn } from 'node:child_process'
    import { createInterface } from 'node:readline'
    import { connect } from 'mafalda/client'
    const child = spawn('node_modules/.bin/mafalda', ['serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(child.stdout)) {
      const { msg, url } = JSON.parse(line)
      if (msg !== 'listening') continue
      const mediasoup = await connect(url)
      console.log(Boolean((await mediasoup.createWorker()).pid))
      mediasoup.close()
      child.kill()
    }
  `,
    { env: { MEDIASOUP_WORKER_BIN: process.env.MEDIASOUP_WORKER_BIN } }
  )
  assert.is(said, 'true\n')
})

test.run()
