// On which host a new room goes: the one with the most to give, of two that are drawn from the best,
// because several registries rank alike and would all choose the same one.

export interface Candidate {
  readonly id: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** In cores. Undefined when it is not known: it counts as full. */
  readonly load?: { readonly capacity: number; readonly used: number } | undefined
  /** What was put there since it told its load, in cores. */
  readonly promised: number
}

export interface Wanted {
  /** Hosts of this region come first, as long as they have something to give. */
  readonly region?: string | undefined
  /** Only hosts that have these. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

// How many the store is asked to choose from: some may be gone already.
const MAX_CANDIDATES = 8
// The best of those that are alike: a third of them, and two at least.
const BEST_SHARE = 1 / 3

/**
 * Answers ids of hosts, the one to take first. Hosts without capacity, which drain, are not among
 * them; full ones come last.
 *
 * @param random from 0 to 1, as Math.random
 */
export function candidates(
  hosts: Iterable<Candidate>,
  { region, labels }: Wanted = {},
  random: () => number = Math.random
): string[] {
  const groups: Candidate[][] = [[], [], [], []]
  for (const host of hosts) {
    if (host.load?.capacity === 0 || !hasLabels(host, labels)) continue
    const isFull = free(host) <= 0
    const isFar = region !== undefined && host.labels?.region !== region
    groups[Number(isFull) * 2 + Number(isFar)]!.push(host)
  }
  return groups
    .flatMap(group => drawn(group, random))
    .slice(0, MAX_CANDIDATES)
    .map(({ id }) => id)
}

const free = ({ load, promised }: Candidate) => (load ? load.capacity - load.used - promised : 0)

export const hasLabels = (
  { labels: own = {} }: Pick<Candidate, 'labels'>,
  wanted: Readonly<Record<string, string>> = {}
) => Object.entries(wanted).every(([name, value]) => own[name] === value)

/** The better one of two that are drawn from the best, and then the others in order. */
function drawn(group: Candidate[], random: () => number): Candidate[] {
  if (group.length < 2) return group
  // What is unknown is worse than what is full by how much was promised.
  const better = (one: Candidate, other: Candidate) =>
    Number(!one.load) - Number(!other.load) ||
    free(other) - free(one) ||
    one.promised - other.promised
  const order = group.toSorted(better)
  const best = Math.max(2, Math.ceil(order.length * BEST_SHARE))
  const first = Math.floor(random() * best)
  const second = Math.floor(random() * (best - 1))
  const pair = [order[first]!, order[second < first ? second : second + 1]!].toSorted(better)
  return [pair[0]!, ...order.filter(host => host !== pair[0])]
}
