// The TURN server of the tests: a real coturn.

import { findInstalled } from './installed.mjs'

const ours = { package: 'coturn', use: 'The tests of TURN' }

/**
 * The path of turnserver: the one that TURNSERVER_BIN names, else the one in PATH, else Debian's,
 * installed if we are root.
 * @param {(line: string) => void} [log]
 */
export const findTurnserver = log =>
  findInstalled('turnserver', { ...ours, variable: 'TURNSERVER_BIN', log })

/**
 * The path of its client; TURNUTILS_BIN names another.
 * @param {(line: string) => void} [log]
 */
export const findTurnClient = log =>
  findInstalled('turnutils_uclient', { ...ours, variable: 'TURNUTILS_BIN', log })
