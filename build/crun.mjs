// The crun of the tests: a real runtime of containers, which needs no daemon.

import { findInstalled } from './installed.mjs'

/**
 * The path of crun: the one that CRUN_BIN names, else the one in PATH, else Debian's, installed if
 * we are root.
 * @param {(line: string) => void} [log]
 */
export const findCrun = log =>
  findInstalled('crun', {
    variable: 'CRUN_BIN',
    package: 'crun',
    use: 'The tests of deploy/',
    log
  })
