// `mafalda serve`, as whoever operates it sees it.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { methods } from '../../lib/methods.ts'
import { version } from '../../lib/version.ts'
import { afterTest, cleanUp, freePort, isAlive, raw, run, startLeaf, until } from '../helper.ts'

cleanUp(test)

/** Runs the command to its end. */
async function runToEnd(args: string[], env?: NodeJS.ProcessEnv) {
  const { exited, lines, errors } = run(args, env)
  const [code] = await exited
  return { code, stdout: lines.join('\n'), stderr: errors.join('\n') }
}

/** The command fails with this code, and says why in one line, without a stack trace. */
async function fails(args: string[], code: number, why: RegExp, env?: NodeJS.ProcessEnv) {
  const ended = await runToEnd(args, env)
  assert.is(ended.code, code, ended.stderr)
  assert.match(ended.stderr, why)
  assert.is(ended.stderr.includes('\n'), false, ended.stderr)
}

const LISTEN = ['--listen', '127.0.0.1:0']

test('--help explains each option, its variable and its default, with examples', async () => {
  const { code, stdout, stderr } = await runToEnd(['serve', '--help'])
  assert.is(code, 0)
  assert.is(stderr, '')
  for (const text of [
    'Usage: mafalda serve',
    '--listen <host:port>',
    'MAFALDA_LISTEN',
    '127.0.0.1:4000',
    'Examples:',
    'mafalda serve --listen 10.0.0.7:4000'
  ]) {
    assert.match(stdout, text)
  }
})

test('--version tells the version', async () => {
  assert.equal(await runToEnd(['--version']), { code: 0, stdout: version, stderr: '' })
})

test('without a command, it tells the commands, and that this was wrong', async () => {
  const { code, stderr } = await runToEnd([])
  assert.is(code, 2)
  assert.match(stderr, 'serve')
})

test('an unknown command or option is wrong usage', async () => {
  await fails(['fly'], 2, /unknown command 'fly'/)
  await fails(['serve', '--loud'], 2, /unknown option '--loud'/)
  await fails(['serve', '--listen'], 2, /argument missing/)
})

test('a wrong value is wrong usage: the option and the value are named, with the rule', async () => {
  for (const address of [
    'nonsense',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:70000',
    '127.0.0.1:-1',
    'http://127.0.0.1:4000',
    ''
  ]) {
    await fails(
      ['serve', '--listen', address],
      2,
      new RegExp(`'--listen <host:port>' argument '${address}' is invalid\\. It must be HOST:PORT`)
    )
  }
  await fails(
    ['serve', ...LISTEN, '--silence', 'long'],
    2,
    /'--silence <ms>' argument 'long' is invalid\. It must be a whole number from 1 to 2147483647 ms, which is 24\.8 days/
  )
  await fails(
    ['serve', ...LISTEN, '--max-memory', '5X'],
    2,
    /positive whole number of bytes, for example 512M or 2G/
  )
  await fails(
    ['serve', ...LISTEN, '--max-payload', '0'],
    2,
    /'--max-payload <bytes>' argument '0' is invalid/
  )
  await fails(
    ['serve', ...LISTEN, '--log-level', 'loud'],
    2,
    /'--log-level <level>' argument 'loud' is invalid\. Allowed choices are/
  )
})

test('a certificate without its key, or the other way round, is refused', async () => {
  for (const args of [
    ['--tls-cert', 'a.crt'],
    ['--tls-key', 'a.key'],
    ['--tls-ca', 'ca.crt']
  ]) {
    await fails(
      ['serve', ...LISTEN, ...args],
      1,
      /^mafalda: --tls-cert and --tls-key are given together, with or without --tls-ca$/
    )
  }
  await fails(
    ['serve', ...LISTEN, '--tls-cert', '/nowhere.crt', '--tls-key', '/nowhere.key'],
    1,
    /^mafalda: ENOENT.*\/nowhere\.crt/
  )
})

test('tokens that nobody could verify are refused', async () => {
  for (const args of [
    ['--token-keys', 'k'],
    ['--token-audience', 'a'],
    ['--token-audience', 'a', '--token-keys', 'k', '--token-secret', 's']
  ]) {
    await fails(
      ['serve', ...LISTEN, ...args],
      1,
      /^mafalda: tokens take --token-audience, and either --token-keys or --token-secret$/
    )
  }
})

test('a wrong variable is wrong usage: it is named', async () => {
  await fails(['serve'], 2, /'nonsense' from env 'MAFALDA_LISTEN' is invalid/, {
    MAFALDA_LISTEN: 'nonsense'
  })
  await fails(['serve'], 2, /MAFALDA_INSECURE must be true or false \(got maybe\)/, {
    MAFALDA_INSECURE: 'maybe'
  })
})

test('a switch is off when its variable says so, and when it is empty', async () => {
  for (const MAFALDA_INSECURE of ['false', ''])
    await fails(['serve', '--listen', '0.0.0.0:0'], 1, /--insecure/, { MAFALDA_INSECURE })
  await startLeaf(['--listen', '0.0.0.0:0'], { MAFALDA_INSECURE: 'true' })
})

test('each option may be a variable instead, and the option wins', async () => {
  const env = { MAFALDA_LISTEN: '127.0.0.1:0', MAFALDA_MAX_PAYLOAD: '1000' }
  const large = { jsonrpc: '2.0', id: 1, method: 'tier.hello', params: ['x'.repeat(2000)] }
  const leaf = run(['serve'], env)
  const url = await until(
    () =>
      leaf.lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'listening')?.url as string
  )
  assert.is.not(new URL(url).port, '4000')
  const small = await raw(url)
  small.send(large)
  assert.is((await small.closed).code, 1009)

  const { url: other } = await startLeaf(['--max-payload', '5000'], env)
  const peer = await raw(other)
  peer.send(large)
  await until(() => peer.heard.find(({ id }) => id === 1))
})

test('a port in use is named, and ends the process, also one with hosts that are there, or not', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  const { port } = server.address() as AddressInfo
  const { url } = await startLeaf()
  for (const hosts of [[], [url], [`ws://127.0.0.1:${await freePort()}`]]) {
    await fails(
      ['serve', '--listen', `127.0.0.1:${port}`, ...hosts],
      1,
      new RegExp(
        `^mafalda: port ${port} of 127\\.0\\.0\\.1 is in use: choose another one with --listen`
      )
    )
  }
})

test('an address that is not of this host is named', async () => {
  await fails(
    ['serve', '--listen', '203.0.113.99:0', '--insecure'],
    1,
    /^mafalda: 203\.0\.113\.99 is not an address of this host/
  )
})

test('a worker that is missing, or no program, is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-cli-'))
  afterTest(() => rm(folder, { recursive: true }))
  const file = join(folder, 'worker')
  await fails(
    ['serve', ...LISTEN],
    1,
    new RegExp(`^mafalda: MEDIASOUP_WORKER_BIN must be .* nothing at ${file}$`),
    { MEDIASOUP_WORKER_BIN: file }
  )
  await writeFile(file, '#!/bin/sh\n')
  await chmod(file, 0o644)
  await fails(
    ['serve', ...LISTEN],
    1,
    new RegExp(`^mafalda: MEDIASOUP_WORKER_BIN must be .*${file} is not executable`),
    { MEDIASOUP_WORKER_BIN: file }
  )
})

test('a worker that does not start fails the call that needs it, and nothing else', async () => {
  const { url, child } = await startLeaf([], { MEDIASOUP_WORKER_BIN: '/bin/false' })
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  const error = await mediasoup.createWorker().catch(error => error)
  assert.match(error.message, /: its process ended at once \(\[pid:\d+, code:1, signal:null\]\)$/)
  assert.is((await (await fetch(`${url.replace('ws', 'http')}/healthz`)).json()).sessions, 1)
  assert.is(child.exitCode, null)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes all sessions and workers, frees the port, and exits with 0`, async () => {
    const { url, child, exited, lines, errors } = await startLeaf()
    const peers = [await raw(url), await raw(url)]
    const pids = []
    for (const peer of peers) {
      const { result } = await peer.call('mediasoup.createWorker', {})
      pids.push((result as { members: { pid: number } }).members.pid)
    }
    child.kill(signal)
    assert.equal(await exited, [0, null])
    for (const { closed } of peers)
      assert.equal(await closed, { code: 4410, reason: 'the server is shutting down' })
    assert.equal(pids.filter(isAlive), [])
    assert.is(JSON.parse(lines.at(-1)!).msg, 'closed')
    assert.equal(errors, [])
    await startLeaf(['--listen', new URL(url).host])
  })
}

test('a second signal forces the end, whatever is not closed yet', async () => {
  const { url, child, exited, lines } = await startLeaf()
  const peer = await raw(url)
  const { result } = await peer.call('mediasoup.createWorker', {})
  const { pid } = (result as { members: { pid: number } }).members
  // It does not answer when it is told that the connection closes.
  peer.socket.pause()
  child.kill('SIGTERM')
  await until(() => lines.some(line => JSON.parse(line).msg === 'closing'))
  child.kill('SIGTERM')
  assert.equal(await exited, [1, null])
  await until(() => !isAlive(pid))
})

test('SIGTERM does not wait for those who say nothing', async () => {
  const { url, child, exited } = await startLeaf()
  const { hostname, port } = new URL(url)
  const silent = connectSocket(Number(port), hostname)
  afterTest(() => silent.destroy())
  await once(silent, 'connect')
  const half = connectSocket(Number(port), hostname)
  afterTest(() => half.destroy())
  half.write('GET /healthz HTTP/1.1\r\n')
  await (await fetch(`${url.replace('ws', 'http')}/healthz`)).text() // By now both are there.
  child.kill('SIGTERM')
  await until(() => child.exitCode !== null)
  assert.equal(await exited, [0, null])
})

test('--openrpc prints the document of the protocol, and ends, without any worker', async () => {
  const { code, stdout, stderr } = await runToEnd(['serve', '--openrpc'], {
    MEDIASOUP_WORKER_BIN: '/nowhere'
  })
  assert.is(code, 0)
  assert.is(stderr, '')
  const { openrpc, methods: listed } = JSON.parse(stdout)
  assert.match(openrpc, /^1\./)
  const names = listed.map(({ name }: { name: string }) => name)
  for (const name of methods.keys()) assert.ok(names.includes(name), name)
})

test('logs are JSON lines, with a time, a level and a message, when stdout is no terminal', async () => {
  const { url, child, lines, exited } = await startLeaf(['--log-level', 'debug'])
  const mediasoup = await connect(url)
  await mediasoup.createWorker()
  mediasoup.close()
  await until(() => lines.some(line => line.includes('session closed')))
  child.kill('SIGTERM')
  await exited
  const logged = lines.map(line => JSON.parse(line))
  for (const { time, level, msg } of logged) {
    assert.type(time, 'number')
    assert.type(level, 'number')
    assert.ok(msg)
  }
  const messages = logged.map(({ msg }) => msg)
  for (const msg of ['listening', 'session opened', 'session closed', 'closing', 'closed'])
    assert.ok(messages.includes(msg), msg)
})

test('--log-level silent logs nothing', async () => {
  const port = await freePort()
  const { child, lines, errors, exited } = run([
    'serve',
    '--listen',
    `127.0.0.1:${port}`,
    '--log-level',
    'silent'
  ])
  await until(() =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false
    )
  )
  child.kill('SIGTERM')
  assert.equal(await exited, [0, null])
  assert.equal([lines, errors], [[], []])
})

test('a time that no timer can wait for is wrong usage', async () => {
  const month = String(30 * 24 * 60 * 60 * 1_000)
  for (const option of [
    '--grace',
    '--silence',
    '--token-grace',
    '--linger',
    '--patience',
    '--timeout'
  ]) {
    await fails(
      ['serve', ...LISTEN, option, month],
      2,
      /It must be a whole number from [01] to 2147483647 ms, which is 24\.8 days/
    )
  }
  for (const args of [
    ['serve', ...LISTEN, '--drain-deadline'],
    ['drain', 'ws://127.0.0.1:1', '--deadline']
  ]) {
    await fails(
      [...args, month],
      2,
      /It must be a whole number from 0 to 2147483 seconds, which is 24\.8 days/
    )
  }
  await fails(
    ['conformance', '--cut', month],
    2,
    /It must be above 0 and at most 2147483 seconds, which is 24\.8 days/
  )
})

test('the same URL twice is wrong usage, however it is written', async () => {
  await fails(
    ['serve', ...LISTEN, 'ws://media-1:4000', 'ws://media-1:4000/'],
    2,
    /'ws:\/\/media-1:4000\/' is invalid for argument 'urls'\. Each URL is given once/
  )
})

test('a watermark is a share', async () => {
  for (const value of ['0', '1.5', 'high'])
    await fails(['serve', ...LISTEN, '--watermark', value], 2, /It must be above 0 and at most 1/)
})

test('a URL that is none of a WebSocket is wrong usage', async () => {
  await fails(['serve', ...LISTEN, 'http://127.0.0.1:4000'], 2, /must be like ws:\/\/host:port/)
})

test('--max-memory bounds what all sessions keep for peers that do not read; others go on', async () => {
  const { url, lines } = await startLeaf(['--max-memory', '8M'])
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  for (let i = 0; i < 8; i++) {
    const greedy = await raw(url)
    await greedy.call('tier.open', {
      session: `session-of-a-test-${i}`,
      secret: 'secret-of-that-session',
      received: 0
    })
    greedy.socket.pause()
    for (let id = 0; id < 1_000; id++)
      greedy.send({ jsonrpc: '2.0', id, method: 'rpc.discover', params: [] })
  }
  const reason = await until(
    () =>
      lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'session closed')?.reason as
        | string
        | undefined
  )
  assert.match(reason, /all sessions together keep more than 8388608 bytes, and this one kept most/)
  assert.ok((await worker.createRouter()).id)
})

test.run()
