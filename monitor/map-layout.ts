// Where everything is on the map: a tidy tree that ends in rows, and arcs between them for pipes.

import { cluster, hierarchy } from 'd3-hierarchy'
import type { SurveyEntry } from '../lib/survey.ts'
import { bitrateOf, type Tree } from './tree.ts'

export interface MapNode {
  entry: SurveyEntry
  x: number
  y: number
  /** Where its rows are, from the first to the last. */
  from: number
  to: number
  parent: MapNode | undefined
}

export interface Arc {
  /** Rows. */
  one: number
  other: number
  pipes: number
  bitrate: number
}

export interface MapLayout {
  /** What the rows are, in a word. */
  rowsAre: string
  inner: MapNode[]
  rows: MapNode[]
  arcs: Arc[]
  pitch: number
  /** Where the rows begin. */
  left: number
}

interface Branch {
  entry: SurveyEntry
  children?: Branch[]
}

const FEW_ROWS = 14
const [HIGH, LOW] = [46, 34]

/** @param column how far children are from their parent, in pixels */
export function layOut(tree: Tree, focus: SurveyEntry, column: number): MapLayout {
  const { branch, rowsAre } = branchOf(tree, focus)
  const root = hierarchy(branch)
  const leaves = root.leaves()
  const pitch = leaves.length > FEW_ROWS ? LOW : HIGH
  const placed = cluster<Branch>()
    .nodeSize([pitch, column])
    .separation(() => 1)(root)
  const top = Math.min(...leaves.map(leaf => leaf.x ?? 0))
  const nodes = new Map<unknown, MapNode>()
  for (const node of placed) {
    const rows = node.leaves().map(leaf => leaf.x - top + pitch / 2)
    nodes.set(node, {
      entry: node.data.entry,
      // d3 lays trees out from the top to the bottom; this one goes from left to right.
      x: 18 + node.depth * column,
      y: node.x - top + pitch / 2,
      from: rows[0]!,
      to: rows.at(-1)!,
      parent: nodes.get(node.parent)
    })
  }
  const rows = leaves.map(leaf => nodes.get(leaf)!)
  const inner = [...nodes.values()].filter(node => !rows.includes(node))
  // Where there is only one thing, it is the row.
  const left = rows[0]!.x
  return { rowsAre, inner, rows, arcs: arcsOf(tree, focus, rows), pitch, left }
}

function branchOf(tree: Tree, focus: SurveyEntry): { branch: Branch; rowsAre: string } {
  const router = tree.nearest(focus.id, 'Router')
  if (router) {
    const children = tree.room(router.id).map(entry => ({ entry }))
    return {
      branch: children.length > 1 ? { entry: router, children } : { entry: router },
      rowsAre: 'Routers of the room'
    }
  }
  const worker = tree.nearest(focus.id, 'Worker')
  if (worker) {
    const children = tree.childrenOf(worker.id, 'Router').map(entry => ({ entry }))
    return {
      branch: children.length ? { entry: worker, children } : { entry: worker },
      rowsAre: 'Routers'
    }
  }
  const tier = tree.hostOf(focus.id) ?? tree.root!
  const hosts = tree.hosts(tier.id)
  return hosts.length > 1
    ? { branch: tiersOf(tree, tier), rowsAre: 'hosts' }
    : { branch: tiersOf(tree, tier, true), rowsAre: 'Workers' }
}

function tiersOf(tree: Tree, entry: SurveyEntry, withWorkers = false): Branch {
  const tiers = tree.childrenOf(entry.id, 'tier')
  const below = tiers.length || !withWorkers ? tiers : tree.childrenOf(entry.id, 'Worker')
  if (!below.length) return { entry }
  return { entry, children: below.map(child => tiersOf(tree, child, withWorkers)) }
}

function arcsOf(tree: Tree, focus: SurveyEntry, rows: MapNode[]): Arc[] {
  const index = new Map(rows.map(({ entry }, row) => [entry.id, row]))
  const rowOf = (id: string) => {
    for (let entry = tree.get(id); entry; entry = tree.get(entry.of))
      if (index.has(entry.id)) return index.get(entry.id)
    return undefined
  }
  const arcs = new Map<string, Arc>()
  const within = tree.nearest(focus.id, 'Router')
    ? rows.map(({ entry }) => entry.id)
    : [focus.kind === 'tier' || focus.kind === 'Worker' ? focus.id : (tree.root?.id ?? '')]
  const seen = new Set<string>()
  for (const pipe of within.flatMap(id => tree.pipes(id))) {
    if (seen.has(pipe.one.id)) continue
    seen.add(pipe.one.id)
    const [one, other] = [rowOf(pipe.one.id), pipe.other && rowOf(pipe.other.id)]
    if (one === undefined || other === undefined || one === other) continue
    const ends = one < other ? [one, other] : [other, one]
    const arc = arcs.get(String(ends)) ?? { one: ends[0]!, other: ends[1]!, pipes: 0, bitrate: 0 }
    arc.pipes++
    arc.bitrate += bitrateOf(pipe)
    arcs.set(String(ends), arc)
  }
  return [...arcs.values()]
}
