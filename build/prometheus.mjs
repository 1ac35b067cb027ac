// The Prometheus of the tests: a real one scrapes the metrics, and evaluates the rules.

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { named } from '../server/worker/commands.mjs'
import { installPackages } from '../server/worker/packages.mjs'

/**
 * The path of prometheus: the one that PROMETHEUS_BIN names, else the one in PATH, else Debian's,
 * installed if we are root.
 * @param {(line: string) => void} [log]
 */
export const findPrometheus = log => find('prometheus', 'PROMETHEUS_BIN', log)

/**
 * The path of promtool, which comes with it; PROMTOOL_BIN names another.
 * @param {(line: string) => void} [log]
 */
export const findPromtool = log => find('promtool', 'PROMTOOL_BIN', log)

/**
 * @param {string} name
 * @param {string} variable
 * @param {(line: string) => void} [log]
 * @returns {Promise<string>}
 */
async function find(name, variable, log = () => {}) {
  const given = process.env[variable]
  if (given) return named(variable, given)
  const there = await inPath(name)
  if (there) return there
  const reason = `The tests of metrics need ${name}, in PATH or named by ${variable}`
  await installPackages(['prometheus'], { reason, log })
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
