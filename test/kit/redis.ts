// A real Redis on a port of its own, which can be killed, stopped, emptied and started again.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findRedis } from '../../build/redis.mjs'
import { within } from './until.ts'

const STARTED_SECONDS = 60
// Above those that the system and mediasoup choose by themselves.
const PORTS = { first: 61_000, last: 65_535 }

export interface Redis {
  /** `redis://127.0.0.1:PORT`, which stays. */
  readonly url: string
  readonly port: number
  /** Without a warning, as by a crash. */
  kill(): Promise<void>
  /** Starts it again after `kill`, with what its append-only file has. */
  start(): Promise<void>
  /** It keeps its connections, and answers nothing. */
  stop(): void
  /** The inverse of `stop`. */
  resume(): void
  /** All that it has is gone. */
  empty(): Promise<void>
  /** Another process in its place, which has nothing. */
  replace(): Promise<void>
  /** A command without spaces in its arguments, and the first line of its answer. */
  send(command: string): Promise<string>
  end(): Promise<void>
}

/**
 * @param args further settings, such as `['--requirepass', 'secret']`
 * @param sentinel of one that watches others: the file of its settings
 */
export async function startRedis(
  args: readonly string[] = [],
  sentinel: readonly string[] = []
): Promise<Redis> {
  const program = await findRedis()
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-redis-'))
  let { child, port } = await startAnywhere()
  const redis: Redis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill: () => ended(child, 'SIGKILL'),
    async start() {
      child = await start(port)
    },
    stop: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async empty() {
      await redis.send('FLUSHALL')
    },
    async replace() {
      await redis.kill()
      await rm(join(folder, 'appendonlydir'), { recursive: true, force: true })
      await redis.start()
    },
    send: command => within(sendTo(port, command), STARTED_SECONDS, `Redis answers ${command}`),
    async end() {
      await redis.kill()
      await rm(folder, { recursive: true })
    }
  }
  return redis

  async function startAnywhere(): Promise<{ child: ChildProcess; port: number }> {
    for (;;) {
      const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first))
      try {
        return { child: await start(port), port }
      } catch (error) {
        if (!(error as Error).message.includes('Address already in use')) throw error
      }
    }
  }

  async function start(port: number): Promise<ChildProcess> {
    const settings = [...sentinel, '--bind', '127.0.0.1', '--port', String(port), '--dir', folder]
    // It is written before it is answered, and no disk is waited for.
    const file = sentinel.length ? [] : ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no']
    const child = spawn(program, [...settings, ...file, ...args], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const kill = () => child.kill('SIGKILL')
    process.on('exit', kill)
    child.once('exit', () => process.off('exit', kill))
    await within(untilReady(child), STARTED_SECONDS, 'Redis is ready')
    return child
  }
}

/** A Sentinel that watches a server, and is quick to put a replica in its place. */
export async function startSentinel(name: string, port: number): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-sentinel-'))
  const config = join(folder, 'sentinel.conf')
  await writeFile(
    config,
    [
      `sentinel monitor ${name} 127.0.0.1 ${port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 3000`
    ].join('\n')
  )
  const redis = await startRedis([], [config, '--sentinel'])
  const { end } = redis
  return {
    ...redis,
    async end() {
      await end()
      await rm(folder, { recursive: true })
    }
  }
}

async function untilReady({ stdout }: ChildProcess) {
  const lines: string[] = []
  for await (const line of createInterface(stdout!)) {
    lines.push(line)
    if (!/Ready to accept connections|Sentinel ID is/.test(line)) continue
    stdout!.resume() // What follows is not read.
    return
  }
  throw new Error(`Redis has ended:\n${lines.join('\n')}`)
}

async function ended(child: ChildProcess, signal: NodeJS.Signals) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** By an inline command, so that the kit does not stand on what it tests. */
async function sendTo(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(`${command}\r\n`)
    for await (const line of createInterface(socket)) {
      if (line.startsWith('-')) throw new Error(`${command}: ${line.slice(1)}`)
      return line
    }
    throw new Error(`${command}: Redis closed the connection`)
  } finally {
    socket.destroy()
  }
}
