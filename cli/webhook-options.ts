// Options of `mafalda registry` about the application that it tells of hosts and rooms.

import { type Command, InvalidArgumentError } from 'commander'
import type { pino } from 'pino'
import type { WebhookOptions } from '../registry/events/events.ts'
import { checkReceiver } from '../registry/events/receiver.ts'
import { parseSecrets } from '../registry/events/secrets.ts'
import { warnOfReaders } from '../server/serve/files.ts'
import { openReloaded } from '../server/serve/reloaded.ts'
import { option } from './option.ts'
import { positiveSeconds } from './parse.ts'

export interface WebhookFlags {
  webhook?: string
  webhookSecret?: string
  /** In seconds. */
  webhookGiveUp: number
  advertise?: string
}

export const withWebhook = (command: Command) =>
  command
    .addOption(
      option(
        '--webhook <url>',
        'where an application is told of hosts and rooms: https://app.example/events'
      ).argParser(parseReceiver)
    )
    .addOption(
      option(
        '--webhook-secret <file>',
        'what these events are signed with: one secret, whsec_ and base64, or two on a line each while it is changed. Read again when it changes'
      )
    )
    .addOption(
      option('--webhook-give-up <seconds>', 'the age at which an event is told no more')
        .default(86_400)
        .argParser(positiveSeconds)
    )

function parseReceiver(value: string): string {
  try {
    return checkReceiver(value).href
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
}

export interface OpenWebhook {
  webhook: WebhookOptions | undefined
  /** Ends that the file is read again. */
  close(): void
}

/** @throws Error when one of these options needs the other one, or the file cannot be used */
export function openWebhook(options: WebhookFlags, logger: pino.Logger): OpenWebhook {
  const { webhook: url, webhookSecret: source, webhookGiveUp, advertise } = options
  if ((url === undefined) !== (source === undefined))
    throw new Error('--webhook and --webhook-secret are given together')
  if (url === undefined || source === undefined) return { webhook: undefined, close() {} }
  warnOfReaders([source], logger)
  const secrets = openReloaded({
    source,
    parse: parseSecrets,
    logger,
    again: 'the secrets of the webhook were read again',
    unusable: 'the secrets of the webhook cannot be used: those before stay',
    onChange() {}
  })
  const webhook = {
    url,
    secrets: () => secrets.current!,
    giveUp: webhookGiveUp * 1_000,
    source: advertise
  }
  return { webhook, close: secrets.unwatch }
}
