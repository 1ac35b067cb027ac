// What a file of the operator says: parsed at the start, and again when the file has changed.

import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { type WatchedFiles, watchFiles } from './files.ts'

export interface Reloaded<T> extends WatchedFiles {
  /** Undefined where there is no file. */
  readonly current: T | undefined
}

export interface ReloadOptions<T> {
  /** The path of the file, or its contents. */
  source: string | Buffer | undefined
  /** Throws when it cannot be used: what was read before stays. */
  parse(text: string): T
  logger: Logger
  /** What is logged. */
  again: string
  unusable: string
  onChange(): void
}

/** @throws when it cannot be read, or used. */
export function openReloaded<T>(options: ReloadOptions<T>): Reloaded<T> {
  const { source, parse, logger, again, unusable, onChange } = options
  const files = typeof source === 'string' ? [source] : []
  let current = read()
  return {
    get current() {
      return current
    },
    ...watchFiles(files, reload)
  }

  function read(): T | undefined {
    if (source === undefined) return undefined
    return parse((typeof source === 'string' ? readFileSync(source) : source).toString())
  }

  function reload(): boolean {
    try {
      current = read()
    } catch (error) {
      logger.error({ files, reason: (error as Error).message }, unusable)
      return false
    }
    if (files.length) logger.info({ files }, again)
    onChange()
    return true
  }
}
