// Text that somebody else chose, and numbers, for a terminal.

/** What somebody else chose must not command the terminal. */
export const printable = (text: string) => text.replace(/[\p{C}\p{Z}]/gu, ' ')

const UNITS = ['', ' k', ' M', ' G'] as const

/** Bits per second. */
export function bitrate(bits: number | undefined): string {
  if (bits === undefined) return ''
  let [value, unit] = [bits, 0]
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)}${UNITS[unit]}bit/s`
}

const MIB = 1024 ** 2

export const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`

/** One of them, or several. */
export const counted = (count: number, one: string, several = `${one}s`) =>
  `${count} ${count === 1 ? one : several}`
