// The image of deploy/Dockerfile, built step by step in containers whose base is this machine: Debian's
// programs and libraries, and the Node.js that runs this. What apt-get would install is here already.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Copy, DockerfileParser } from 'dockerfile-ast'
import { type Mount, bind, startContainer } from './container.ts'

const SOURCES = fileURLToPath(new URL('../..', import.meta.url))
const DOCKERFILE = join(SOURCES, 'deploy/Dockerfile')

export interface Image {
  root: string
  mounts: Mount[]
  env: Record<string, string>
  cwd: string
  uid: number
  gid: number
  entrypoint: string[]
  command: string[]
  health: string[]
}

interface Stage extends Image {
  name?: string
}

export interface Instruction {
  keyword: string
  /** The stage that it copies from. */
  from?: string
  /** What follows, on one line. */
  text: string
}

export const instructions = (): Instruction[] =>
  DockerfileParser.parse(readFileSync(DOCKERFILE, 'utf8'))
    .getInstructions()
    .map(each => ({
      keyword: each.getKeyword(),
      from: each instanceof Copy ? (each.getFromFlag()?.getValue() ?? undefined) : undefined,
      text: each.getRawArgumentsContent()?.replace(/\\\n\s*/g, ' ') ?? ''
    }))

/** The packages that a step installs. */
export const packagesOf = (run: string): string[] =>
  /apt-get install ([^&]*)/
    .exec(run)?.[1]
    ?.trim()
    .split(/\s+/)
    .filter(word => !word.startsWith('-')) ?? []

/** Answers the last stage. What was made is in `folder`, which is the caller's to remove. */
export async function buildImage(folder = mkdtempSync(join(tmpdir(), 'mafalda-image-'))) {
  const stages: Stage[] = []
  for (const instruction of instructions()) {
    if (instruction.keyword === 'FROM') stages.push(stageOf(folder, instruction.text))
    else if (stages.length) await carryOut(instruction, stages)
  }
  return { ...stages.at(-1)!, remove: () => rmSync(folder, { recursive: true }) }
}

function stageOf(folder: string, from: string): Stage {
  return { ...baseImage(folder), name: / AS (\S+)/.exec(from)?.[1] }
}

/** An image of what is on this machine. */
export function baseImage(folder: string): Image {
  const root = mkdtempSync(join(folder, 'root-'))
  chmodSync(root, 0o755)
  const npm = dirname(dirname(realpathSync(programOf('npm'))))
  for (const path of ['etc', 'opt', 'tmp', 'run', 'root', 'usr/local/bin'])
    mkdirSync(join(root, path), { recursive: true })
  for (const path of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${path}`, join(root, path))
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  symlinkSync('/base/node', join(root, 'usr/local/bin/node'))
  const ours = ['bin', 'sbin', 'lib', 'lib64', 'share'].map(path => `/usr/${path}`)
  return {
    root,
    mounts: [
      ...[...ours, '/etc/ssl', '/etc/alternatives'].map(path => bind(path)),
      bind(dirname(process.execPath), '/base'),
      bind(npm, '/usr/local/lib/node_modules/npm')
    ],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    cwd: '/',
    uid: 0,
    gid: 0,
    entrypoint: [],
    command: [],
    health: []
  }
}

async function carryOut({ keyword, from, text }: Instruction, stages: Stage[]) {
  const stage = stages.at(-1)!
  switch (keyword) {
    case 'RUN':
      return packagesOf(text).length ? undefined : run(text, stage)
    case 'COPY':
      return copy(from, text, stages)
    case 'ENV':
      for (const [, name = '', value = ''] of text.matchAll(/(\w+)=(\S+)/g)) stage.env[name] = value
      return
    case 'WORKDIR':
      stage.cwd = text
      mkdirSync(join(stage.root, text), { recursive: true })
      return
    case 'USER':
      ;[stage.uid, stage.gid] = text.split(':').map(Number) as [number, number]
      return
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(text)
      return
    case 'CMD':
      stage.command = JSON.parse(text)
      return
    case 'HEALTHCHECK':
      stage.health = JSON.parse(text.slice(text.indexOf('[')))
      return
    case 'EXPOSE':
      return
    default:
      throw new Error(`${keyword} must be one of the instructions that are carried out here`)
  }
}

/** Binds, and copies nothing: what is there stays as it is until the image is removed. */
function copy(from: string | undefined, text: string, stages: Stage[]) {
  const stage = stages.at(-1)!
  const [source = '', target = ''] = text.split(' ')
  const folder = from ? join(stages.find(({ name }) => name === from)!.root, source) : SOURCES
  if (!from && source !== '.') throw new Error(`COPY must take all of the sources (got ${source})`)
  stage.mounts.push(bind(folder, resolve(stage.cwd, target), from ? 'ro' : 'rw'))
}

/** As the user of the stage, with the network, and with what this machine has fetched already. */
async function run(command: string, { root, mounts, env, cwd, uid, gid }: Stage) {
  const { lines, exited } = await startContainer({
    root,
    writable: true,
    mounts: [
      ...mounts,
      bind('/etc/resolv.conf'),
      bind('/etc/hosts'),
      bind(homedir(), homedir(), 'rw')
    ],
    env: { ...env, HOME: homedir() },
    args: ['/bin/sh', '-c', command],
    cwd,
    uid,
    gid,
    capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_CHOWN']
  })
  const [code] = await exited
  if (code !== 0) throw new Error(`${command}: exited with ${code}: ${lines.slice(-20).join('\n')}`)
}

/** The path of a program in PATH. */
const programOf = (name: string): string =>
  process.env
    .PATH!.split(delimiter)
    .map(folder => join(folder, name))
    .find(path => existsSync(path))!
