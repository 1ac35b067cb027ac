// Options, each of which is also an environment variable.

import { type Command, Option } from 'commander'

/** Every option is also an environment variable: `--max-payload`, MAFALDA_MAX_PAYLOAD. */
export function option(flags: string, description: string): Option {
  const option = new Option(flags, description)
  return option.env(`MAFALDA_${option.long!.slice(2).toUpperCase().replaceAll('-', '_')}`)
}

export const jsonOption = () => option('--json', 'print the result as JSON')

const ON = ['true', '1', 'yes', 'on']
const OFF = ['false', '0', 'no', 'off', '']

/** An option without a value is on when its variable says so, and not because there is one. */
export function checkSwitches(command: Command) {
  for (const option of command.options) {
    const { envVar: variable = '' } = option
    const value = option.isBoolean() ? process.env[variable] : undefined
    if (value === undefined || ON.includes(value.toLowerCase())) continue
    if (!OFF.includes(value.toLowerCase()))
      command.error(`error: ${variable} must be true or false (got ${value})`)
    delete process.env[variable]
  }
  command.commands.forEach(checkSwitches)
}
