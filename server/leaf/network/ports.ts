// Which ports clients may use on this host.

import type { ListenOptions, Listening } from './listen-infos.ts'

export interface PortRange {
  min: number
  max: number
}

// mediasoup's own, for a Worker of which only one end is said.
const DEFAULTS: PortRange = { min: 10_000, max: 59_999 }
const MAX_PORT = 65_535

interface WorkerPorts {
  rtcMinPort?: unknown
  rtcMaxPort?: unknown
}

/** @throws TypeError when it is no range of ports */
export function checkRange({ min, max }: PortRange): PortRange {
  if (isPort(min) && isPort(max) && min <= max) return { min, max }
  throw new TypeError(`rtcPorts must be from 1 to ${MAX_PORT}, min first (got ${min}-${max})`)
}

/** A Worker takes its ports from the range: all of it, or what it has in common with its own. */
export function limitWorker(settings: WorkerPorts, range: PortRange) {
  const { rtcMinPort: min, rtcMaxPort: max } = settings
  const asked = { min: min ?? DEFAULTS.min, max: max ?? DEFAULTS.max }
  const isDefault = (min ?? max) === undefined || (min ?? max) === null
  const common = isDefault ? range : intersect('rtcMinPort to rtcMaxPort', asked, range)
  settings.rtcMinPort = common.min
  settings.rtcMaxPort = common.max
}

/** What a call listens on has a port in the range, or takes one from it. */
export function limitListening(options: ListenOptions, listening: Listening[], range: PortRange) {
  for (const { info, deprecated } of listening) {
    const { port, portRange } = deprecated ? { port: options.port } : info
    // mediasoup makes a number of whatever it is given.
    if (port) checkPort(port, range)
    else if (isWholeRange(portRange)) info.portRange = intersect('portRange', portRange, range)
  }
}

function checkPort(port: unknown, { min, max }: PortRange) {
  if (isPort(port) && port >= min && port <= max) return
  throw new TypeError(
    `port must be from ${min} to ${max}, which the operator of the host allows (--rtc-ports): got ${String(port)}`
  )
}

function intersect(
  name: string,
  asked: { min: unknown; max: unknown },
  allowed: PortRange
): PortRange {
  const { min, max } = asked
  if (!isPort(min) || !isPort(max))
    throw new TypeError(
      `${name} must be whole numbers from 1 to ${MAX_PORT} (got ${String(min)} and ${String(max)})`
    )
  const common = { min: Math.max(min, allowed.min), max: Math.min(max, allowed.max) }
  // What is the wrong way round is mediasoup's to refuse.
  if (max < min) return { min, max }
  if (common.min <= common.max) return common
  throw new TypeError(
    `${name} ${min}-${max} has no port in common with ${allowed.min}-${allowed.max}, which the operator of the host allows (--rtc-ports)`
  )
}

// With one end only, mediasoup takes the Worker's.
const isWholeRange = (range: unknown): range is { min: unknown; max: unknown } => {
  const { min, max } = Object(range) as { min?: unknown; max?: unknown }
  return Boolean(min) && Boolean(max)
}

export const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && (port as number) >= 1 && (port as number) <= MAX_PORT
