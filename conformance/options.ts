// Options of the commands that test the product: wrong usage is a sentence that names what is
// allowed, and exit code 2.

import { type ParseArgsConfig, parseArgs } from 'node:util'

export function optionsOf<const T extends NonNullable<ParseArgsConfig['options']>>(options: T) {
  try {
    return parseArgs({ options, allowNegative: true }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

export function check(isRight: boolean, rule: string) {
  if (!isRight) refuse(rule)
}

function refuse(why: string): never {
  console.error(why)
  process.exit(2)
}
