// `mafalda registry`: its options, most of which are those of `mafalda serve`.

import { Command, InvalidArgumentError } from 'commander'
import { MEMORY, checkStoreUrl } from '../registry/store/open-store.ts'
import { option } from './option.ts'
import { positiveSeconds } from './parse.ts'
import { serveCommand } from './serve-command.ts'
import { withWebhook } from './webhook-options.ts'

// What is about a mediasoup of this host.
const OF_LEAF = [
  '--announced-address',
  '--pipe-address',
  '--announce',
  '--rtc-ports',
  '--allow-listen',
  '--deny-peer',
  '--allow-peer',
  '--turn',
  '--turn-secret',
  '--turn-ttl',
  '--allow-files',
  '--share-workers',
  '--pool-size',
  '--drain-deadline',
  '--openrpc'
]

export function registryCommand(): Command {
  const command = withWebhook(new Command('registry'))
    .description(
      'Takes hosts that register, gives rooms a place on them, and serves all of them as one mediasoup.'
    )
    .addOption(
      option(
        '--store <url>',
        'what it shares with other registries: memory for nothing, redis://host:port, rediss://host:port, redis+sentinel://host:port,host:port/name'
      )
        .default(MEMORY)
        .argParser(parseStore)
    )
    .addOption(
      option(
        '--lease <seconds>',
        'how long a host to which there is no connection stays after it has registered'
      )
        .default(30)
        .argParser(positiveSeconds)
    )
    .addOption(
      option(
        '--rooms <when-away>',
        'what new rooms get while the store is away: consistent refuses them (503), available gives each a place that is written later'
      )
        .choices(['consistent', 'available'])
        .default('consistent')
    )
  for (const option of serveCommand().options)
    if (!OF_LEAF.includes(option.long!)) command.addOption(option)
  return command
    .addHelpText(
      'after',
      `
Examples:
  mafalda registry
  mafalda registry --listen 0.0.0.0:4100 --insecure
  mafalda registry --vertical --store redis://redis:6379 --listen 0.0.0.0:4100 --tls-cert registry.crt --tls-key registry.key --token-keys jwks.json --token-audience media
  mafalda serve --register http://registry:4100 --advertise ws://media-1:4000 --label region=eu

Hosts register with PUT /hosts/{id}, applications ask for rooms with PUT /rooms/{id}: /openapi.json describes both. With tokens, hosts
need the scope register, and applications the scope rooms. --ca, --cert, --key and --token are for the hosts.`
    )
    .action(async options => (await import('./registry.ts')).serveRegistry(options))
}

function parseStore(value: string): string {
  try {
    checkStoreUrl(value)
    return value
  } catch (error) {
    throw new InvalidArgumentError(`It must be ${MEMORY}, or a Redis: ${(error as Error).message}.`)
  }
}
