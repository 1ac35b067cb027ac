// The image: its steps make what its last stage runs, as a user without rights, on a root that cannot
// be written, with Node.js as the first process.

import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { PACKAGES } from '../../server/worker/compile.mjs'
import { afterTest, cleanUp, freePort, until } from '../helper.ts'
import { type Container, noContainers, startContainer } from '../kit/container.ts'
import { familyOf } from '../kit/processes.ts'
import { buildImage, instructions, packagesOf } from '../kit/image.ts'

const test = suite('image')
cleanUp(test)

type Built = Awaited<ReturnType<typeof buildImage>>
let image: Built
test.before(async () => {
  image = await buildImage()
})
test.after(() => (image as Built | undefined)?.remove())

const SECONDS = 120

/** As `docker run --read-only --network host IMAGE ARGS…` does. */
async function run(args: string[], env: Record<string, string> = {}): Promise<Container> {
  const container = await startContainer({
    ...image,
    args: [...image.entrypoint, ...args],
    env: { ...image.env, MAFALDA_HEALTH_LISTEN: `127.0.0.1:${await freePort()}`, ...env }
  })
  afterTest(() => container.kill('SIGKILL'))
  return container
}

const urlOf = ({ lines, child }: Container) =>
  until(
    () => {
      assert.is(child.exitCode, null, lines.join('\n'))
      return lines.flatMap(line => /"url":"([^"]+)".*"listening"/.exec(line)?.[1] ?? [])[0]
    },
    SECONDS,
    'the container listens'
  )

test('it serves mediasoup, and ends by SIGTERM to its first process', async () => {
  const health = `127.0.0.1:${await freePort()}`
  const container = await run([...image.command, '--listen', '127.0.0.1:0'], {
    MAFALDA_HEALTH_LISTEN: health
  })
  const mediasoup = await connect(await urlOf(container))
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  await router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] })

  // Which has another id out here.
  const status = readFileSync(`/proc/${familyOf(container.child.pid!).at(-1)}/status`, 'utf8')
  assert.match(status, /^Name:\s+mediasoup-worke/m)
  assert.match(status, /^Uid:\s+10001\s+10001/m)
  assert.match(status, /^CapBnd:\s+0+$/m)
  assert.match(status, /^NoNewPrivs:\s+1$/m)

  const [program, ...args] = image.health
  assert.is(program, 'node')
  const ask = (env: Record<string, string>) =>
    spawnSync(process.execPath, args, { env: { ...image.env, ...env } }).status
  assert.is(ask({ MAFALDA_HEALTH_LISTEN: health }), 0)
  assert.is(ask({ MAFALDA_HEALTH_LISTEN: `127.0.0.1:${await freePort()}` }), 1)

  await mediasoup.close()
  await container.kill('SIGTERM')
  assert.equal(await container.exited, [0, null])
  assert.is(container.lines.filter(line => line.includes('runs as root')).length, 0)
})

test('as Docker starts it, nobody from elsewhere may use it unasked', async () => {
  const container = await run([...image.command, '--listen', '0.0.0.0:0'])
  assert.equal(await container.exited, [1, null])
  assert.match(container.lines.join(), 'whoever reaches 0.0.0.0 could use this tier')
})

test('it has what the package has and depends on, and no tools of development', () => {
  const [{ source } = { source: '' }] = image.mounts.filter(
    ({ destination }) => destination === '/opt/mafalda'
  )
  const there = readdirSync(join(source, 'node_modules'))
  for (const name of ['mediasoup', 'ws', 'pino']) assert.ok(there.includes(name), name)
  for (const name of ['esbuild', 'typescript', 'jest']) assert.not.ok(there.includes(name), name)
  assert.ok(statSync(join(source, 'bin/mediasoup-worker')).mode & 0o001)
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages
  for (const name of there.filter(name => !/^[.@]/.test(name))) {
    const { version } = JSON.parse(
      readFileSync(join(source, 'node_modules', name, 'package.json'), 'utf8')
    )
    assert.is(version, lock[`node_modules/${name}`].version, name)
  }
})

test('the packages of Debian that it installs are those that the worker needs', () => {
  const [toBuild, toRun] = instructions()
    .filter(({ keyword }) => keyword === 'RUN')
    .map(({ text }) => packagesOf(text))
    .filter(packages => packages.length) as [string[], string[]]
  assert.equal(toBuild, PACKAGES)
  const names = toBuild.filter(name => /^lib(uv1|ssl|srtp2|absl)/.test(name))
  assert.is(toRun.length, names.length)
  for (const name of names)
    assert.ok(
      toRun.some(each => each.startsWith(name.replace(/-dev$/, ''))),
      name
    )
})

const reason = noContainers()
if (reason) console.log(`skipped: ${reason}`)
else test.run()
