// Node.js processes that end with the process that starts them, however that one ends.

import { type ChildProcess, type IOType, type Serializable, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { type Interface, createInterface } from 'node:readline'

/**
 * To import: a process with an IPC channel ends when the other end of the channel closes. The
 * channel keeps it running only where it listens to messages. What it forks inherits this.
 */
export const PRELOAD = `data:text/javascript,${encodeURIComponent(`
  process.on('disconnect', () => process.exit())
  process.channel?.unref()
  process.on('newListener', event => { if (event === 'message') process.channel?.ref() })
`)}`

const MAX_LINES = 10_000

export interface StartOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Stands before the command, for example `ip netns exec NAME`. */
  prefix?: readonly string[]
  /** Where its errors go. Default: to `errors`. */
  stderr?: IOType
}

export interface Started {
  child: ChildProcess
  /** Emits each line of its stdout. */
  output: Interface
  /** The last lines of its stdout, and of its stderr. */
  lines: string[]
  errors: string[]
  /** Its exit code or the signal that ended it, when all of its output has been read. */
  exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>
}

const running = new Map<ChildProcess, Started>()

/** Starts Node.js with these arguments. */
export function startNode(args: readonly string[], options: StartOptions = {}): Started {
  const { prefix = [], stderr = 'pipe', ...rest } = options
  const [command, ...all] = [...prefix, process.execPath, '--import', PRELOAD, ...args]
  const child = spawn(command!, all, { ...rest, stdio: ['ignore', 'pipe', stderr, 'ipc'] })
  const output = createInterface(child.stdout!)
  const started = {
    child,
    output,
    lines: lastOf(output),
    errors: child.stderr ? lastOf(createInterface(child.stderr)) : [],
    exited: once(child, 'close') as Started['exited']
  }
  keep(started)
  return started
}

/** The URL that `mafalda serve` logs when it listens. */
export function listening({ child, output }: Started): Promise<string> {
  return unlessEnded(child, resolve => {
    output.on('line', function onLine(line) {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string }
      if (msg !== 'listening') return
      output.off('line', onLine)
      resolve(url!)
    })
  })
}

/** The next message of a process; the answer to a question, if there is one. */
export function ask<T>(child: ChildProcess, question?: Serializable): Promise<T> {
  return unlessEnded(child, resolve => {
    child.once('message', answer => resolve(answer as T))
    if (question !== undefined) child.send(question)
  })
}

/** Rejects when the process ends before it has said what is waited for. */
async function unlessEnded<T>(child: ChildProcess, wait: (resolve: (value: T) => void) => void) {
  const what = child.spawnargs.slice(child.spawnargs.indexOf(PRELOAD) + 1).join(' ')
  const errors = running.get(child)?.errors
  if (!errors) throw new Error(`${what} has ended, and says nothing any more`)
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const onClose = (code: number | null, signal: NodeJS.Signals | null) => {
    reject(new Error(`${what} ended with ${signal ?? code}:\n${errors.join('\n')}`))
  }
  child.once('close', onClose)
  wait(resolve)
  return promise.finally(() => child.off('close', onClose))
}

/** Ends a process with a signal, or else by closing its channel. */
export async function end(child: ChildProcess, signal?: NodeJS.Signals) {
  if (!running.has(child)) return
  const exited = once(child, 'exit')
  if (signal === undefined && child.connected) child.disconnect()
  else child.kill(signal)
  child.kill('SIGCONT') // One that is stopped gets a signal only then.
  await exited
}

/** SIGINT and SIGTERM end this process as `process.exit()` does, so that all it started ends. */
export function exitOnSignals() {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  }
}

function keep(started: Started) {
  const { child } = started
  if (!running.size) process.on('exit', killAll)
  running.set(child, started)
  child.once('exit', () => {
    running.delete(child)
    if (!running.size) process.off('exit', killAll)
  })
}

// A process that is stopped does not notice that its channel is closed.
function killAll() {
  for (const child of running.keys()) child.kill('SIGKILL')
}

function lastOf(output: Interface): string[] {
  const lines: string[] = []
  output.on('line', line => {
    if (lines.push(line) > MAX_LINES) lines.shift()
  })
  return lines
}
