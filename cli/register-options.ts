// Options of `mafalda serve` about registries: how they are written, and what they say together.

import { InvalidArgumentError, type Command } from 'commander'
import type { pino } from 'pino'
import { type Registration, hostIdAt, register } from '../registry/registration.ts'
import { type AccessOptions, accessOf } from './access.ts'
import { option } from './option.ts'
import { parseRegistry, parseUrl } from './parse.ts'

export interface RegisterOptions extends AccessOptions {
  register?: string[]
  advertise?: string
  hostId?: string
  label: Record<string, string>
}

export const withRegistration = (command: Command) =>
  command
    .addOption(
      option(
        '--register <urls>',
        'registries (https://registry.example, divided by ",") to which it says that it is here; it shows them --cert and --token'
      ).argParser(value => value.split(',').map(url => parseRegistry(url.trim())))
    )
    .addOption(
      option(
        '--advertise <url>',
        'where others connect to it, for --register: wss://media-1.example:4000'
      ).argParser(parseUrl)
    )
    .addOption(
      option('--host-id <id>', 'what it is called there; default: the host and port of --advertise')
    )
    .addOption(
      option('--label <labels>', 'what it says of itself there: region=eu,zone=a; may be repeated')
        .default({}, 'none')
        .argParser(parseLabels)
    )

function parseLabels(value: string, others: Record<string, string> = {}): Record<string, string> {
  const labels = { ...others }
  for (const part of value.split(',')) {
    const [, name, text] = /^([^=]+)=(.*)$/.exec(part.trim()) ?? []
    if (name === undefined)
      throw new InvalidArgumentError(`Labels are like region=eu,zone=a ("${part}" is not).`)
    labels[name] = text!
  }
  return labels
}

/** Registers a tier, if it is to be; answers what ends that. */
export function registerTier(
  options: RegisterOptions,
  logger: pino.Logger
): Registration | undefined {
  const { register: registries, advertise: url, hostId, label: labels } = options
  if (!registries) return undefined
  const host = { id: hostId ?? hostIdAt(url!), url: url!, labels }
  return register({ registries, host, log: logger, ...accessOf(options) })
}

/** @throws Error when one of these options needs another one */
export function checkRegistration({ register: registries, advertise }: RegisterOptions) {
  if (registries && !advertise)
    throw new Error('--register needs --advertise: where others connect to this tier')
}
