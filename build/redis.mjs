// The Redis of the tests: a real one, which they kill, stop and empty.

import { findInstalled } from './installed.mjs'

/**
 * The path of redis-server: the one that REDIS_BIN names, such as a valkey-server, else the one in
 * PATH, else Debian's, installed if we are root.
 * @param {(line: string) => void} [log]
 */
export const findRedis = log =>
  findInstalled('redis-server', {
    variable: 'REDIS_BIN',
    package: 'redis-server',
    use: 'The tests of the registry',
    log
  })
