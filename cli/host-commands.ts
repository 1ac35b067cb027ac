// `mafalda drain`, `sessions` and `kick`: what an operator asks of a tier that runs.

import { Command } from 'commander'
import { jsonOption, option } from './option.ts'
import { parseUrl, seconds } from './parse.ts'

export const drainCommand = () =>
  new Command('drain')
    .description(
      'Lets the host at a URL end once it is empty: it takes no new Workers and Routers, and applications are told to move.'
    )
    .argument('<url>', "the host's own URL", parseUrl)
    .addOption(
      option(
        '--deadline <seconds>',
        'when it ends, whatever is on it; default: as it was told before, or else not before it is empty'
      ).argParser(seconds)
    )
    .option('--cancel', 'let it go on')
    .addOption(option('--ca <file>', 'authorities of the host; default: those of Node.js'))
    .addOption(option('--cert <file>', 'a certificate for the host'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(option('--token <file>', 'a token for the host, whose scope includes "operate"'))
    .addHelpText(
      'after',
      `
Examples:
  mafalda drain ws://media-1:4000 --deadline 600
  mafalda drain ws://media-1:4000 --cancel

Prints what is left until the host has ended. Ctrl-C ends only the command, and not the drain; --cancel does, and the command
again, without a deadline, shows how far it is. Exits with 1 when the drain was cancelled, or the host lost before it was over.`
    )
    .action(async (url, options) => (await import('./drain.ts')).drain(url, options))

export const sessionsCommand = () =>
  withAccess(
    new Command('sessions')
      .description('Prints the sessions on the tier at a URL: whose, from where, for how long.')
      .argument('<url>', "the tier's own URL", parseUrl)
      .addOption(jsonOption())
  ).action(async (url, options) => (await import('./sessions.ts')).sessions(url, options))

export const kickCommand = () =>
  withAccess(
    new Command('kick')
      .description(
        'Ends the sessions of a subject on the tier at a URL, with all that they have. To keep out the subject, use --token-deny of the tier.'
      )
      .argument('<url>', "the tier's own URL", parseUrl)
      .argument('[subject]', 'whose sessions')
      .option('--session <id>', 'only the session with this id of `mafalda sessions`')
  ).action(async (url, subject, options) =>
    (await import('./sessions.ts')).kick(url, subject, options)
  )

export const withAccess = (command: Command) =>
  command
    .addOption(option('--ca <file>', 'authorities of the tier; default: those of Node.js'))
    .addOption(option('--cert <file>', 'a certificate for the tier'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(option('--token <file>', 'a token for the tier, whose scope includes "operate"'))
