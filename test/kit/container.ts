// Containers of a real runtime, crun. Each ends with the process that started it, however that ends.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findCrun } from '../../build/crun.mjs'
import { childrenOf } from './processes.ts'
import { until } from './until.ts'

/** Why no containers can be made here; undefined when they can. */
export const noContainers = () =>
  process.platform === 'linux' && process.getuid!() === 0
    ? undefined
    : 'containers are made by root, on Linux'

/** As in the configuration of the runtime. */
export interface Mount {
  destination: string
  source: string
  type?: string
  options?: string[]
}

export interface ContainerOptions {
  /** The folder that is its root. */
  root: string
  args: string[]
  env: Record<string, string>
  cwd: string
  uid: number
  gid: number
  /** Such as CAP_NET_BIND_SERVICE. Default: none. */
  capabilities?: string[]
  /** Whether its root may be written. Default: no. */
  writable?: boolean
  mounts?: Mount[]
  hostname?: string
  /** The calls of the system that it may make; others fail. Default: all. */
  calls?: string[]
  /** The network namespace that it is in. Default: that of this process. */
  namespace?: string
}

export interface Container {
  child: ChildProcess
  /** What it has said, on stdout and on stderr. */
  lines: string[]
  exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>
  /** To its first process only, as a runtime does. */
  kill(signal: NodeJS.Signals): Promise<void>
}

// A runtime without control groups, as there may be two sorts of them, of which crun takes none. All
// processes are below the first one of a namespace, which ends with its parent.
const ALONE =
  'setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --mount-proc sh -c'
const RUN =
  'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" --root "$1" --cgroup-manager=disabled run --bundle "$1" container'

export async function startContainer(options: ContainerOptions): Promise<Container> {
  const bundle = mkdtempSync(join(tmpdir(), 'mafalda-container-'))
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(configOf(options)))
  const [program, ...args] = [...ALONE.split(' '), RUN, await findCrun(), bundle]
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  for (const output of [child.stdout, child.stderr])
    createInterface(output).on('line', line => lines.push(line))
  const exited = once(child, 'close') as Container['exited']
  void exited.then(() => rmSync(bundle, { recursive: true, force: true }))
  return { child, lines, exited, kill }

  async function kill(signal: NodeJS.Signals) {
    const ended = () => child.exitCode !== null || child.signalCode !== null
    const pid = await until(() => ended() || firstOf(child.pid!))
    if (typeof pid !== 'number') return
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Below unshare is crun, and below that the first process of the container. */
const firstOf = (pid: number): number | undefined => childrenOf(pid).flatMap(childrenOf)[0]

function configOf(options: ContainerOptions) {
  const {
    root,
    args,
    env,
    cwd,
    uid,
    gid,
    capabilities = [],
    mounts = [],
    namespace,
    hostname,
    calls
  } = options
  const kinds = ['pid', 'mount', 'ipc', 'uts']
  const network = { type: 'network', path: `/run/netns/${namespace}` }
  return {
    ociVersion: '1.0.0',
    hostname,
    process: {
      user: { uid, gid },
      args,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd,
      noNewPrivileges: true,
      capabilities: Object.fromEntries(
        ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'].map(set => [
          set,
          capabilities
        ])
      )
    },
    root: { path: root, readonly: !options.writable },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...mounts
    ],
    linux: {
      namespaces: [...kinds.map(type => ({ type })), ...(namespace === undefined ? [] : [network])],
      seccomp: calls && {
        defaultAction: 'SCMP_ACT_ERRNO',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
        syscalls: [{ names: calls, action: 'SCMP_ACT_ALLOW' }]
      }
    }
  }
}

/** A file or folder of this machine in a container, which cannot write it unless it says so. */
export const bind = (source: string, destination = source, mode: 'ro' | 'rw' = 'ro'): Mount => ({
  destination,
  source,
  type: 'bind',
  options: ['rbind', mode]
})
