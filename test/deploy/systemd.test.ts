// The units of systemd: it finds them right and closed, and a tier runs with the calls that they allow.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findInstalled } from '../../build/installed.mjs'
import { connect } from '../../client/index.ts'
import { afterTest, cleanUp, run, until } from '../helper.ts'
import { bind, noContainers, startContainer } from '../kit/container.ts'
import { baseImage } from '../kit/image.ts'
import { familyOf } from '../kit/processes.ts'

cleanUp(test)

const UNITS = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const names = ['mafalda-host.service', 'mafalda-registry.service']
// Of 10, where 10 is a service without any sandbox.
const EXPOSURE = 1.5
const SECONDS = 120

const read = (name: string) => readFileSync(join(UNITS, name), 'utf8')

/** The values of a setting, in their order. */
const valuesOf = (unit: string, setting: string) =>
  [...unit.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value = '']) => value)

const analyze = async (...args: string[]) => {
  const program = await findInstalled('systemd-analyze', {
    variable: 'SYSTEMD_ANALYZE_BIN',
    package: 'systemd',
    use: 'The tests of deploy/'
  })
  return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })
}

/** The unit with programs and files that are on this machine. */
function copyOf(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mafalda-unit-'))
  afterTest(() => rmSync(folder, { recursive: true }))
  const text = read(name)
    .replace('/usr/bin/mafalda', process.execPath)
    .replace(/^EnvironmentFile=.*$/m, 'EnvironmentFile=/dev/null')
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

for (const name of names) {
  test(`${name}: systemd finds it right, and no more exposed than ${EXPOSURE} of 10`, async () => {
    const copy = copyOf(name)
    assert.is(await analyze('verify', '--man=no', copy), '')
    await analyze('security', '--offline=true', `--threshold=${EXPOSURE * 10}`, copy)
  })

  test(`${name}: each option is one of the command`, async () => {
    const [start = ''] = valuesOf(read(name), 'ExecStart')
    const [, ...words] = start.split(' ')
    const { exited, lines } = run([words[0]!, '--help'])
    await exited
    for (const option of words.filter(word => word.startsWith('--')))
      assert.ok(
        lines.some(line => line.includes(` ${option} `)),
        option
      )
  })
}

test('systemd has the time that a drain takes, and does not end the workers itself', () => {
  const unit = read('mafalda-host.service')
  const [, deadline] = /--drain-deadline (\d+)/.exec(unit) ?? []
  assert.ok(Number(valuesOf(unit, 'TimeoutStopSec')[0]) >= Number(deadline) + 15)
  assert.equal(valuesOf(unit, 'KillMode'), ['mixed'])
})

/** The calls of the system that a unit allows, as systemd on this machine understands its sets. */
async function callsOf(unit: string): Promise<string[]> {
  const calls = new Set<string>()
  for (const line of valuesOf(unit, 'SystemCallFilter')) {
    const isDenied = line.startsWith('~')
    for (const name of line.replace('~', '').split(' '))
      for (const call of await members(name))
        if (isDenied) calls.delete(call)
        else calls.add(call)
  }
  return [...calls]
}

async function members(set: string): Promise<string[]> {
  if (!set.startsWith('@')) return [set]
  const lines = (await analyze('syscall-filter', set)).split('\n').slice(1)
  const names = lines.map(line => line.trim()).filter(line => line && !line.startsWith('#'))
  return (await Promise.all(names.map(members))).flat()
}

const closed = noContainers()
if (closed) console.log(`skipped: a tier with the calls of the unit: ${closed}`)
else
  test('a host serves mediasoup with the calls of the system that its unit allows', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mafalda-unit-'))
    afterTest(() => rmSync(folder, { recursive: true }))
    const calls = await callsOf(read('mafalda-host.service'))
    assert.ok(calls.includes('read') && !calls.includes('mount') && !calls.includes('chroot'))
    const image = baseImage(folder)
    const worker = process.env.MEDIASOUP_WORKER_BIN!
    const container = await startContainer({
      ...image,
      mounts: [...image.mounts, bind(root), bind(worker)],
      env: { ...image.env, MEDIASOUP_WORKER_BIN: worker },
      args: ['node', join(root, 'dist/mafalda.js'), 'serve', '--listen', '127.0.0.1:0'],
      uid: 65534,
      gid: 65534,
      // What the runtime itself needs to start it.
      calls: [...calls, 'execve', 'capset', 'prctl', 'setgid', 'setuid', 'setgroups']
    })
    afterTest(() => container.kill('SIGKILL'))
    const url = await until(
      () => {
        assert.is(container.child.exitCode, null, container.lines.join('\n'))
        return container.lines.flatMap(
          line => /"url":"([^"]+)".*"listening"/.exec(line)?.[1] ?? []
        )[0]
      },
      SECONDS,
      'the tier listens'
    )
    const mediasoup = await connect(url)
    afterTest(() => mediasoup.close())
    const made = await mediasoup.createWorker()
    const pid = familyOf(container.child.pid!).at(-1)
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Seccomp:\s+2$/m)
    await (await made.createRouter()).createWebRtcTransport({
      listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
    })
    await mediasoup.close()
    await container.kill('SIGTERM')
    assert.equal(await container.exited, [0, null])
  })

test.run()
