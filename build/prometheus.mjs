// The Prometheus of the tests: a real one scrapes the metrics, and evaluates the rules.

import { findInstalled } from './installed.mjs'

const ours = { package: 'prometheus', use: 'The tests of metrics' }

/**
 * The path of prometheus: the one that PROMETHEUS_BIN names, else the one in PATH, else Debian's,
 * installed if we are root.
 * @param {(line: string) => void} [log]
 */
export const findPrometheus = log =>
  findInstalled('prometheus', { ...ours, variable: 'PROMETHEUS_BIN', log })

/**
 * The path of promtool, which comes with it; PROMTOOL_BIN names another.
 * @param {(line: string) => void} [log]
 */
export const findPromtool = log =>
  findInstalled('promtool', { ...ours, variable: 'PROMTOOL_BIN', log })
