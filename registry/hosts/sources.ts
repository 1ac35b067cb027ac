// URLs that stand for many hosts.

import type { Hosts } from '../host.ts'
import { type Log, Trouble } from '../log.ts'
import { dnsHosts, isDnsUrl, parseDnsUrl } from './dns.ts'
import { isRedisUrl, redisHosts } from './redis.ts'
import { checkRedisUrl } from '../store/redis-url.ts'

/** Whether a URL is one of many hosts. */
export const isSource = (url: string) => isDnsUrl(url) || isRedisUrl(url)

/** @throws TypeError for a URL that says so, and is none */
export function checkSource(url: string) {
  if (isDnsUrl(url)) parseDnsUrl(url)
  else checkRedisUrl(url)
}

/**
 * The hosts that a URL stands for.
 *
 * @throws TypeError for a URL that is not one of many hosts
 */
export function hostsAt(url: string, log: Log): Hosts {
  const trouble = new Trouble(log, { hosts: withoutPassword(url) })
  const onAway = (error: Error) =>
    trouble.begins(error, 'hosts cannot be looked up: those that are known stay')
  const onBack = () => trouble.ends('hosts can be looked up again')
  return isDnsUrl(url) ? dnsHosts(url, { onAway, onBack }) : redisHosts(url, { onAway, onBack })
}

const withoutPassword = (url: string) => url.replace(/\/\/[^/@]*@/, '//…@')
