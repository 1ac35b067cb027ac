// `mafalda conformance`, with `drift` and `watch`.

import { Command } from 'commander'
import { jsonOption, option } from './option.ts'
import { collectUrls, parseRegistry, positiveSeconds } from './parse.ts'

export const conformanceCommand = () =>
  new Command('conformance')
    .description(
      "Replays mediasoup's own tests against tiers: those at the URLs, or else one of each sort."
    )
    .argument('[urls...]', 'tiers that are already up', collectUrls)
    .addOption(
      option(
        '--tiers <names>',
        'those of our own to test, like leaf,aggregated; default: all, or none with URLs'
      ).argParser(value => value.split(','))
    )
    .addOption(
      option(
        '--files <names>',
        'parts of names of test files, like Worker,Router, to replay only those'
      ).argParser(value => value.split(','))
    )
    .addOption(
      option(
        '--cut <seconds>',
        'put relays between all tiers and their clients, and break each connection when it is about so old'
      ).argParser(positiveSeconds)
    )
    .addOption(releaseOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  mafalda conformance
  mafalda conformance ws://host:4000
  mafalda conformance --mediasoup 3.27.0
  mafalda conformance --tiers leaf,aggregated --cut 2
  mafalda conformance drift --mediasoup 3.26.0
  mafalda conformance watch --seen seen.json

Exits with 1 when a test that passes on plain mediasoup does not pass on a tier, and no declared deviation says why.`
    )
    .action(async (urls, options) => (await import('./conformance.ts')).conform(urls, options))
    .addCommand(
      new Command('drift')
        .description(
          'Compares a release of mediasoup with the model of its API, and names every difference. Exits with 1 when there is one.'
        )
        .addOption(releaseOption())
        .addOption(jsonOption())
        .action(async (_, command) =>
          (await import('./conformance.ts')).compare(command.optsWithGlobals())
        )
    )
    .addCommand(
      new Command('watch')
        .description(
          'Looks for a new release of mediasoup, compares it with the model, replays its tests on tiers, and prints a report as Markdown.'
        )
        .addOption(
          option(
            '--registry <url>',
            'where releases are looked up, and installed from; default: the registry that npm is set to'
          ).argParser(parseRegistry)
        )
        .addOption(
          option(
            '--seen <file>',
            "which releases were seen, so that each is reported once; default: in Mafalda's cache"
          )
        )
        .addOption(
          option(
            '--worker-bin <file>',
            'a mediasoup-worker of the release; default: one is found, downloaded or built'
          )
        )
        .addHelpText(
          'after',
          `
Exits with 0 when there is no new release, or it does not differ; with 3 when it differs, or cannot be used; and with 1 when
it could not be looked up.`
        )
        .action(async (_, command) =>
          (await import('./conformance.ts')).watch(command.optsWithGlobals())
        )
    )

const releaseOption = () =>
  option(
    '--mediasoup <version>',
    'a release to install in a folder of its own, or the folder of one, instead of the one installed'
  )

/** Every option is also an environment variable: `--max-payload`, MAFALDA_MAX_PAYLOAD. */
