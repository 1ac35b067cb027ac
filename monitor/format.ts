// Numbers and names as the page writes them.

import type { SurveyEntry } from '../lib/survey.ts'

const number = new Intl.NumberFormat('en')

export const count = (value: number) => number.format(value)

export const percent = (fraction: number | undefined) =>
  fraction === undefined ? '–' : `${Math.round(fraction * 100)} %`

const scaled = (value: number, base: number, units: string[]) => {
  let unit = 0
  while (value >= base && unit < units.length - 1) {
    value /= base
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

export const bits = (value: number | undefined) =>
  value === undefined ? '–' : scaled(value, 1000, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s'])

export const bytes = (value: number | undefined) =>
  value === undefined ? '–' : scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])

export const cores = (value: number) =>
  value < 10 ? value.toFixed(1) : Math.round(value).toString()

export const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

export function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const hours = Math.floor(seconds / 3600)
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3600) / 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

export const clock = (at: number) => time.format(at)

const KINDS: Partial<Record<SurveyEntry['kind'], string>> = { tier: 'Tier', session: 'Session' }

/** What an entry is. */
export const kindOf = (entry: SurveyEntry): string =>
  entry.kind === 'tier'
    ? { leaf: 'Host', horizontal: 'Horizontal tier', vertical: 'Vertical tier' }[entry.tier]
    : (KINDS[entry.kind] ?? entry.kind)

/** The URL of a tier, in short. */
export const urlName = (url: string) => url.replace(/^wss?:\/\//, '').replace(/\/$/, '')

/** How an entry is called, beside its kind. */
export function nameOf(entry: SurveyEntry): string {
  switch (entry.kind) {
    case 'tier':
      return urlName(entry.name ?? entry.id)
    case 'Worker':
      return String(entry.pid)
    case 'session':
      return entry.subject ?? entry.address ?? 'in this process'
    case 'rest':
      return `${count(entry.count)} more`
    default:
      return entry.id
  }
}

export const titleOf = (entry: SurveyEntry) => `${kindOf(entry)} ${nameOf(entry)}`
