// `mafalda sessions` and `mafalda kick`: who is on a tier, and the end of somebody's sessions.

import type { SessionInfo } from '../lib/session-info.ts'
import type { AccessOptions } from './access.ts'
import { ask } from './ask.ts'
import { printable } from './printable.ts'

export async function sessions(
  url: string,
  { json, ...access }: AccessOptions & { json?: boolean }
) {
  const { sessions } = (await ask(url, access, 'tier.sessions')) as { sessions: SessionInfo[] }
  if (json) console.log(JSON.stringify(sessions, null, 2))
  else for (const line of tableOf(sessions)) console.log(line)
}

export async function kick(
  url: string,
  subject: string | undefined,
  { session: id, ...access }: AccessOptions & { session?: string }
) {
  if (subject === undefined && id === undefined)
    throw new Error('kick takes a subject, or --session with the id of one')
  const { count } = (await ask(url, access, 'tier.kick', { subject, id })) as { count: number }
  console.log(`${count} ${count === 1 ? 'session has' : 'sessions have'} ended`)
  if (!count) process.exitCode = 1
}

const HEADS = ['id', 'subject', 'address', 'age', 'objects']

function tableOf(sessions: SessionInfo[]): string[] {
  const rows = sessions.map(({ id, subject = '', address, age, objects }) => [
    id,
    printable(subject),
    printable(address),
    `${Math.floor(age / 1_000)} s`,
    String(objects)
  ])
  const table = [HEADS, ...rows]
  const widths = HEADS.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  return table.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  )
}
