// The processes of a run, and what the system says of them.

import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type StartOptions,
  type Started,
  listening,
  startNode
} from '../../conformance/processes.ts'
import { within } from './until.ts'

export { ask, end, exitOnSignals, listening, startNode } from '../../conformance/processes.ts'

const LISTENING_SECONDS = 120

const mafalda = fileURLToPath(new URL('../../mafalda.ts', import.meta.url))

export interface TierOptions extends StartOptions {
  /** The built command instead of the sources. */
  command?: string
  /** Options of Node.js. */
  nodeArgs?: readonly string[]
}

/** `mafalda …`. */
export function startMafalda(args: readonly string[], options: TierOptions = {}) {
  const { command = mafalda, nodeArgs = [], ...rest } = options
  return startNode([...nodeArgs, command, ...args], rest)
}

/** `mafalda serve …`; resolves when it listens, on a port that the system chose by default. */
export async function startTier(args: readonly string[] = [], options: TierOptions = {}) {
  const started = startMafalda(serveArgs(args), options)
  return { ...started, url: await urlOf(started) }
}

/** The arguments that serve on a port that the system chooses, unless there is one among them. */
export const serveArgs = (args: readonly string[]) => [
  'serve',
  ...(args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']),
  ...args
]

/** The URL of `mafalda serve`, when it listens. */
export const urlOf = (started: Started) =>
  within(listening(started), LISTENING_SECONDS, 'mafalda serve listens')

/** A script of test/, for example `bench/endpoint`, which speaks by IPC. */
export function startScript(name: string, args: readonly string[] = [], options: TierOptions = {}) {
  const { nodeArgs = [], ...rest } = options
  const script = fileURLToPath(new URL(`../${name}.ts`, import.meta.url))
  return startNode([...nodeArgs, script, ...args], { stderr: 'inherit', ...rest }).child
}

/** In front of a command that is to run in a network namespace. */
export const inNamespace = (name: string) => ['ip', 'netns', 'exec', name]

/** The workers of a leaf. */
export function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return children.split(' ').filter(Boolean).map(Number)
  } catch {
    return [] // It has ended.
  }
}

/** A process, what it started, what that started, and so on. */
export const familyOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(familyOf)]

/** Whether a process is there, and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return !/^State:\s+Z/m.test(statusOf(pid))
}

/** The memory of a process, in bytes. */
export function memoryOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(statusOf(pid)) ?? []
  return Number(kilobytes ?? 0) * 1024
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return '' // It has ended, or this is no Linux.
  }
}

/** How many files and sockets a process has open. */
export const filesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
