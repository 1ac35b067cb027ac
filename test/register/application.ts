// Applications that are written for mediasoup, in a folder of their own, with the preload.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Started } from '../../conformance/processes.ts'
import { end, startNode } from '../kit/processes.ts'
import { afterTest } from '../helper.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What an application must not get. */
const OWN_MEDIASOUP = "throw new Error('the mediasoup of the application was loaded')"

const SUB_PATHS = ['.', './types', './errors', './ortc', './extras']

/** A folder with an application. Its own mediasoup cannot be loaded. */
export function applicationFolder(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'mafalda-app-'))
  afterTest(() => rmSync(folder, { recursive: true }))
  const exports = Object.fromEntries(SUB_PATHS.map(path => [path, './index.js']))
  const all = {
    ...files,
    'node_modules/mediasoup/package.json': JSON.stringify({ name: 'mediasoup', exports }),
    'node_modules/mediasoup/index.js': OWN_MEDIASOUP
  }
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  symlinkSync(root, join(folder, 'node_modules/mafalda'))
  symlinkSync(join(root, 'node_modules/tsx'), join(folder, 'node_modules/tsx'))
  return folder
}

/** The sources, so that they are covered. */
const SOURCES = join(root, 'register/index.ts')

export interface Run {
  url: string
  /** Default: the sources. `mafalda/register` is what npm ships. */
  preload?: string
  env?: NodeJS.ProcessEnv
  /** Other options of Node.js. */
  nodeArgs?: string[]
}

/** Starts the first of the files. */
export function startApplication(
  files: Record<string, string>,
  { url, preload = SOURCES, env, nodeArgs = [] }: Run
): Started {
  const [main] = Object.keys(files)
  const started = startNode(['--import', preload, ...nodeArgs, main!], {
    cwd: applicationFolder(files),
    env: {
      ...process.env,
      MEDIASOUP_WORKER_BIN: '/nowhere',
      MAFALDA_URL: url,
      ...env
    }
  })
  afterTest(() => end(started.child, 'SIGKILL'))
  return started
}

/** What an application prints until it ends, by itself. */
export async function runApplication(files: Record<string, string>, run: Run) {
  const { exited, lines, errors } = startApplication(files, run)
  const [code] = await exited
  return { code, stdout: lines, stderr: errors }
}
