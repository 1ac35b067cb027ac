// The URLs of `mafalda serve`: each that of a tier, or of many hosts that come and go.

import { InvalidArgumentError } from 'commander'
import type { pino } from 'pino'
import { type RemoteOptions, remote } from '../client/index.ts'
import type { Horizontal } from '../proxy/index.ts'
import { Members, checkSource, hostsAt, isSource } from '../registry/index.ts'
import { collectUrls } from './parse.ts'

export { isSource } from '../registry/index.ts'

/** As `collectUrls`, with those of many hosts. */
export function collectHosts(value: string, others: string[] = []): string[] {
  const tiers = others.filter(other => !isSource(other))
  if (!isSource(value)) return [...others, ...collectUrls(value, tiers).slice(tiers.length)]
  try {
    checkSource(value)
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
  if (others.includes(value)) throw new InvalidArgumentError('Each URL is given once.')
  return [...others, value]
}

/** Adds hosts to a cluster as they come, and takes out those that are gone, until it is ended. */
export function feed(
  cluster: Horizontal,
  urls: readonly string[],
  { tls, ...access }: RemoteOptions,
  logger: pino.Logger
): Members {
  return new Members({
    cluster,
    sources: urls.map(url => hostsAt(url, logger)),
    connect: ({ url, servername }) =>
      remote(url, { ...access, tls: servername ? { ...tls, servername } : tls }),
    log: logger
  })
}
