// `mafalda tree`, `top` and `events`: what an operator sees of a tree.

import { Command, Option } from 'commander'
import { SURVEY_DETAILS } from '../lib/survey.ts'
import { withAccess } from './host-commands.ts'
import { jsonOption, option } from './option.ts'
import { parseUrl, positiveInteger } from './parse.ts'

const urlOf = (command: Command) => command.argument('<url>', "a tier's own URL", parseUrl)

export const treeCommand = () =>
  withAccess(
    urlOf(new Command('tree'))
      .description('Prints what there is on the tier at a URL, and on all tiers below it.')
      .addOption(
        new Option('--detail <level>', 'how far down')
          .choices(SURVEY_DETAILS)
          .default('routers')
          .env('MAFALDA_DETAIL')
      )
      .addOption(option('--under <id>', 'only an entry with this id, and what is below it'))
      .addOption(
        option('--limit <number>', 'how many of each kind are printed below each, the worst first')
          .default(200)
          .argParser(positiveInteger)
      )
      .addOption(jsonOption())
  ).action(async (url, options) => (await import('./tree.ts')).tree(url, options))

export const topCommand = () =>
  withAccess(
    urlOf(new Command('top'))
      .description('Shows the tree at a URL in the terminal, as it changes.')
      .addHelpText(
        'after',
        `
Keys: up and down choose, Enter goes down, Backspace goes up, s sorts by the next column, q ends. Without a terminal it prints
once.`
      )
  ).action(async (url, options) => (await import('./top.ts')).top(url, options))

export const eventsCommand = () =>
  withAccess(
    urlOf(new Command('events')).description(
      'Prints what happens in the tree at a URL, as JSON lines: hosts, Workers and sessions that come and go.'
    )
  ).action(async (url, options) => (await import('./events.ts')).events(url, options))
