// Running other people's commands: what they print is kept for the error message.

import { spawn } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { resolve } from 'node:path'

/**
 * Like a shell, answers status 127 for a command that is not there.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<{ status: number, output: string }>}
 */
export function run(command, args, options) {
  return new Promise(resolve => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (/** @type {string} */ text) => {
      output += text
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', ({ message }) => resolve({ status: 127, output: message }))
    child.on('close', status => resolve({ status: status ?? 128, output }))
  })
}

/** The end of an output, where a command says why it failed. */
export const tail = (/** @type {string} */ output, lines = 20) =>
  output.trimEnd().split('\n').slice(-lines).join('\n')

/**
 * The absolute path of an executable that the user named in an environment variable.
 * @param {string} variable
 * @param {string} value
 */
export async function named(variable, value) {
  const path = resolve(value)
  const file = await stat(path).catch(() => undefined)
  if (!file)
    throw new Error(
      `${variable} must be the path of an executable file: there is nothing at ${path}`
    )
  if (!file.isFile())
    throw new Error(`${variable} must be the path of an executable file: ${path} is not a file`)
  await access(path, constants.X_OK).catch(() => {
    throw new Error(
      `${variable} must be the path of an executable file: ${path} is not executable, try chmod +x`
    )
  })
  return path
}
