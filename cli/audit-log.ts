// The audit log of a tier, one JSON line for each record. A disk that is full ends no tier.

import { pino } from 'pino'
import type { AuditRecord } from '../server/index.ts'

const STDOUT = 1
// What waits for a disk that takes nothing. Above it, records are lost.
const MAX_WAITING_BYTES = 1024 * 1024
// Of its owner and group: it has subjects and addresses.
const MODE = 0o640

/**
 * @param file `-` for stdout
 * @throws Error when the file cannot be opened
 */
export function auditLog(file: string, logger: pino.Logger) {
  const destination = open(file)
  let isBroken = false
  destination.on('error', ({ message: reason }: Error) => {
    if (!isBroken) logger.error({ file, reason }, 'the audit log cannot be written')
    isBroken = true
  })
  destination.on('write', () => {
    if (isBroken) logger.info({ file }, 'the audit log is written again')
    isBroken = false
  })
  return {
    write: (record: AuditRecord) => void destination.write(`${JSON.stringify(record)}\n`),
    /** After the file was renamed: goes on in a new one. */
    reopen() {
      if (file !== '-') destination.reopen()
    }
  }
}

function open(file: string) {
  const dest = file === '-' ? STDOUT : file
  try {
    return pino.destination({ dest, sync: true, mode: MODE, maxLength: MAX_WAITING_BYTES })
  } catch (error) {
    throw new Error(`the audit log cannot be opened: ${(error as Error).message}`, { cause: error })
  }
}
