// How much of something is used, as a class of colours: of the page's own scale, from idle to full.

/** 0: idle, 1 and 2: in use, 3: above the watermark of Workers, 4: nearly full; undefined: not known. */
export function levelOf(use: number | undefined): number | undefined {
  if (use === undefined) return undefined
  if (use > 0.85) return 4
  if (use > 0.6) return 3
  if (use > 0.3) return 2
  return use > 0.02 ? 1 : 0
}

export const levelClass = (use: number | undefined) => `level-${levelOf(use) ?? 'unknown'}`
