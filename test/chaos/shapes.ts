// The trees that there are to break.

/** A tier; a leaf has none below. */
export interface Branch {
  name: string
  /** Of `mafalda serve`. */
  args: readonly string[]
  below?: readonly Branch[]
  /**
   * Whether a Router may be on Workers of several leaves, and media may pass through any of these.
   */
  spans?: boolean
}

const leaf = (name: string, ...args: string[]): Branch => ({ name, args })
const cluster = (name: string, below: readonly Branch[]): Branch => ({ name, args: [], below })
/** Transports go to another Worker each time, so that pipes are where they can be. */
const spanning = (name: string, maxWorkers: number, below: readonly Branch[]): Branch => ({
  name,
  args: ['--vertical', '--policy', 'scatter', '--max-workers', String(maxWorkers)],
  below,
  spans: true
})

export const shapes = {
  leaf: leaf('leaf'),
  /** All applications are on the same two Workers. */
  shared: leaf('leaf', '--share-workers', '--pool-size', '2'),
  cluster: cluster('cluster', [leaf('leaf1'), leaf('leaf2')]),
  aggregated: spanning('entry', 4, [leaf('leaf1'), leaf('leaf2')]),
  'three-levels': spanning('entry', 3, [
    spanning('east', 2, [leaf('leaf1'), leaf('leaf2')]),
    spanning('west', 2, [leaf('leaf3'), leaf('leaf4')])
  ])
} as const satisfies Record<string, Branch>

export type Shape = keyof typeof shapes
