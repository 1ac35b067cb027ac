// The processes that are measured, each started once, and their end.

import { type ChildProcess, type Serializable, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { mafalda } from './product.ts'

// The rate is kept nevertheless: it is measured with the rest.
const UNLIMITED = ['--limits', 'rate=1000000000']

const running = new Set<ChildProcess>()
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** Node.js with these arguments. */
export function run(args: string[], stdio: 'ipc' | 'ignore' = 'ignore'): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', stdio] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** A process that serves a tier. */
export interface Served {
  child: ChildProcess
  url: string
}

export async function end(child: ChildProcess) {
  if (!running.has(child)) return
  // mediasoup listens to SIGTERM, which keeps a process that does nothing about it: a script ends with its channel.
  if (child.connected) child.disconnect()
  else child.kill('SIGTERM')
  await once(child, 'exit')
}

/** `mafalda serve`, of this host or of the tiers at some URLs; resolves when it listens. */
export async function startLeaf(urls: string[] = [], listen = '127.0.0.1:0', options: string[] = []): Promise<Served> {
  const child = run([mafalda, 'serve', '--listen', listen, ...UNLIMITED, ...options, ...urls])
  for await (const line of createInterface(child.stdout!)) {
    const { msg, url } = JSON.parse(line)
    if (msg !== 'listening') continue
    child.stdout!.resume()
    return { child, url }
  }
  throw new Error('the tier ended before it listened')
}

/** A script of this folder, which speaks by IPC. */
export function startScript(name: string, args: string[] = [], nodeArgs: string[] = []): ChildProcess {
  return run([...nodeArgs, fileURLToPath(new URL(`${name}.ts`, import.meta.url)), ...args], 'ipc')
}

export type Role = 'relay' | 'cluster' | 'vertical'

/** A process between a client and the tiers at some URLs; see hop.ts. */
export async function startHop(role: Role, urls: string[]): Promise<Served> {
  const child = startScript('hop', [role, ...urls], ['--expose-gc'])
  return { child, url: await ask(child) }
}

/** The next message of a script; the answer to a question, if there is one. */
export async function ask<T>(child: ChildProcess, question?: Serializable): Promise<T> {
  const message = new Promise<T>((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`${child.spawnargs[1]} ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', answer => {
      child.off('exit', onExit)
      resolve(answer as T)
    })
  })
  if (question !== undefined) child.send(question)
  return message
}

/** How long a process takes that does nothing. */
export async function runNothing() {
  await once(run(['-e', '0']), 'exit')
}
