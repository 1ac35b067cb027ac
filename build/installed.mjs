// Programs of Debian that only tests need.

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { named } from '../server/worker/commands.mjs'
import { installPackages } from '../server/worker/packages.mjs'

/**
 * The path of a program: the one that a variable of the environment names, else the one in PATH,
 * else Debian's, installed if we are root.
 * @param {string} name
 * @param {{ variable: string, package: string, use: string, log?: (line: string) => void }} options
 * `use` is what needs it, as in "The tests of metrics"
 * @returns {Promise<string>}
 */
export async function findInstalled(name, { variable, package: itsPackage, use, log = () => {} }) {
  const given = process.env[variable]
  if (given) return named(variable, given)
  const there = await inPath(name)
  if (there) return there
  const reason = `${use} need ${name}, in PATH or named by ${variable}`
  await installPackages([itsPackage], { reason, log })
  const installed = await inPath(name)
  if (!installed) throw new Error(`${reason}: its package did not install it`)
  return installed
}

/** @param {string} name */
async function inPath(name) {
  for (const directory of process.env.PATH?.split(delimiter) ?? []) {
    const path = join(directory, name)
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return path
  }
}
