// The command that starts and ends hosts, of which only its file is known. No shell reads it.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Log } from '../log.ts'

export interface CommandOptions {
  /** How long it may run, in ms. */
  timeout: number
  log: Log
}

export type Command = (...args: string[]) => Promise<void>

// Between what ends it and what nobody survives.
const KILL_AFTER_MS = 5_000
const MAX_LINES = 100

/**
 * Answers what runs a program with arguments, and rejects when it fails, cannot be run, or takes too
 * long. What it prints is logged.
 */
export const commandAt =
  (file: string, { timeout, log }: CommandOptions): Command =>
  async (...args) => {
    const facts = { command: file, args }
    log.info(facts, 'scale command begins')
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const output of [child.stdout, child.stderr]) tell(output)
    const late = setTimeout(() => {
      child.kill('SIGTERM')
      setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref()
    }, timeout)
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code, signal) =>
          code === 0 ? resolve() : reject(new Error(ending(code, signal)))
        )
      })
    } finally {
      clearTimeout(late)
    }
    log.info(facts, 'scale command is done')

    function tell(output: Readable) {
      let lines = 0
      createInterface(output).on('line', line => {
        if (++lines <= MAX_LINES)
          log.info({ ...facts, line: line.slice(0, 1_000) }, 'scale command')
      })
    }

    function ending(code: number | null, signal: string | null) {
      const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`
      return `${file} ${args.join(' ')} ${how}, and not with 0 within ${timeout} ms`
    }
  }
