// Arguments and environment of the `mafalda` command. Exit codes: 0 done, 1 failed, 2 wrong usage,
// 3 a release differs.

import { Command, CommanderError } from 'commander'
import { version } from '../lib/version.ts'
import { conformanceCommand } from './conformance-command.ts'
import { drainCommand, kickCommand, sessionsCommand } from './host-commands.ts'
import { checkSwitches } from './option.ts'
import { monitorCommand } from './monitor-command.ts'
import { registryCommand } from './registry-command.ts'
import { serveCommand } from './serve-command.ts'
import { eventsCommand, topCommand, treeCommand } from './survey-commands.ts'

const WRONG_USAGE = 2

export async function main(argv: string[]) {
  const program = new Command('mafalda')
    .description("Makes many mediasoup machines behave as one, behind mediasoup's own API.")
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
  program.addCommand(serveCommand())
  program.addCommand(registryCommand())
  program.addCommand(drainCommand())
  program.addCommand(sessionsCommand())
  program.addCommand(kickCommand())
  program.addCommand(monitorCommand())
  program.addCommand(treeCommand())
  program.addCommand(topCommand())
  program.addCommand(eventsCommand())
  program.addCommand(conformanceCommand())
  program.commands
    .flatMap(command => [command, ...command.commands])
    .forEach(command => command.exitOverride())
  try {
    checkSwitches(program)
    await program.parseAsync(argv)
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      console.error(`mafalda: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    } else if (error.exitCode !== 0) {
      process.exitCode = WRONG_USAGE
    }
  }
}
