// The processes of a run, and what the system says of them.

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { inTime } from './until.ts'

const LISTENING_MS = 30_000

const mafalda = fileURLToPath(new URL('../../mafalda.ts', import.meta.url))
const running = new Set<ChildProcess>()
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

function keep(child: ChildProcess) {
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** To import: a process with an IPC channel ends with the one that started it, also if that one is killed. */
export const TOGETHER = 'data:text/javascript,process.on("disconnect", () => process.exit()); process.channel.unref()'

/** `mafalda serve …`, in a network namespace if one is given; resolves with its URL when it listens. */
export async function startTier(args: string[], namespace?: string): Promise<{ child: ChildProcess; url: string }> {
  const command = [...namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace], process.execPath, '--import', TOGETHER, mafalda, 'serve', ...args]
  const child = keep(spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] }))
  const what = `mafalda serve ${args.join(' ')}`
  const url = await inTime(`${what} listens`, urlIn(child.stdout!), LISTENING_MS)
  child.stdout!.resume()
  if (url === undefined) throw new Error(`${what} ended before it listened`)
  return { child, url }
}

async function urlIn(stdout: Readable): Promise<string | undefined> {
  for await (const line of createInterface(stdout)) {
    const { msg, url } = JSON.parse(line)
    if (msg === 'listening') return url
  }
  return undefined
}

/** A script of this folder, which speaks by IPC. */
export const startScript = (name: string, args: string[]) => keep(fork(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), args))

export async function kill(child: ChildProcess) {
  if (!running.has(child)) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** The workers of a leaf. */
export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Files and sockets that a process has open, and its memory, in bytes. */
export function holdings(pid: number) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { files: readdirSync(`/proc/${pid}/fd`).length, memory: Number(kilobytes) * 1024 }
}
