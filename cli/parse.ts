// The values of options, and the sentence about a wrong one.

import { delimiter } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { MAX_DURATION } from '../lib/duration.ts'
import type { Address } from './address.ts'

export function parseAddress(value: string): Address {
  const [, host, port] = /^(?:(\[[^\]]+\]|[^:]*):)?(\d+)$/.exec(value) ?? []
  if (port === undefined || Number(port) > 65535) {
    throw new InvalidArgumentError(
      'It must be HOST:PORT with a port from 0 to 65535, for example 0.0.0.0:4000 or [::1]:4000.'
    )
  }
  return { host: (host || '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port) }
}

export function collectUrls(value: string, others: string[] = []): string[] {
  const url = parseUrl(value)
  const isThere = others.some(other => new URL(other).href === new URL(url).href)
  if (isThere) throw new InvalidArgumentError('Each URL is given once.')
  return [...others, url]
}

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

export function byteCount(value: string): number {
  const [, number, unit] = /^(\d+)([KMG]?)$/i.exec(value) ?? []
  const bytes = Number(number) * UNITS[unit?.toUpperCase() as keyof typeof UNITS]
  if (!Number.isSafeInteger(bytes) || bytes <= 0)
    throw new InvalidArgumentError(
      'It must be a positive whole number of bytes, for example 512M or 2G.'
    )
  return bytes
}

export function parseUrl(value: string): string {
  if (!URL.canParse(value) || !/^wss?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError('It must be like ws://host:port or wss://host:port.')
  return value
}

export function parseRegistry(value: string): string {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError('It must be like https://registry.example.')
  return value
}

export const parseFolders = (value: string): string[] => value.split(delimiter).filter(Boolean)

export function parseOrigins(value: string): string[] {
  const origins = value.split(',').map(origin => origin.trim())
  const wrong = origins.find(
    origin => origin !== '*' && !(URL.canParse(origin) && new URL(origin).origin === origin)
  )
  if (wrong !== undefined)
    throw new InvalidArgumentError(
      `An origin is like https://app.example, without a path ("${wrong}" is not).`
    )
  return origins
}

export function parseLimits(value: string): Record<string, number> {
  const limits: Record<string, number> = {}
  for (const [, name, number, rest] of value
    .split(',')
    .map(limit => /^(\w+)=(\d+)$|(.*)/.exec(limit)!)) {
    if (name === undefined)
      throw new InvalidArgumentError(`Limits are like rate=500,workers=4 ("${rest}" is not).`)
    limits[name] = Number(number)
  }
  return limits
}

const MAX_SECONDS = Math.floor(MAX_DURATION / 1_000)
const DAYS = 'which is 24.8 days'

export const duration = (value: string): number => integerIn(value, 0, MAX_DURATION, `ms, ${DAYS}`)
export const positiveDuration = (value: string): number =>
  integerIn(value, 1, MAX_DURATION, `ms, ${DAYS}`)
export const seconds = (value: string): number =>
  integerIn(value, 0, MAX_SECONDS, `seconds, ${DAYS}`)

function integerIn(value: string, least: number, most: number, unit: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN
  if (number >= least && number <= most) return number
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most} ${unit}.`)
}

export function positiveSeconds(value: string): number {
  const number = Number(value)
  if (number > 0 && number <= MAX_SECONDS) return number
  throw new InvalidArgumentError(`It must be above 0 and at most ${MAX_SECONDS} seconds, ${DAYS}.`)
}

export function fraction(value: string): number {
  const number = Number(value)
  if (number > 0 && number <= 1) return number
  throw new InvalidArgumentError('It must be above 0 and at most 1.')
}

export function wholeNumber(value: string): number {
  if (/^\d+$/.test(value)) return Number(value)
  throw new InvalidArgumentError('It must be a whole number.')
}

export function cores(value: string): number {
  const number = Number(value)
  if (value.trim() && number >= 0 && number < Infinity) return number
  throw new InvalidArgumentError('It must be a number of cores, such as 4 or 0.5.')
}

export function positiveInteger(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number <= 0)
    throw new InvalidArgumentError('It must be a positive whole number.')
  return number
}
