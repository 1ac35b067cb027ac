// The tree against a model: a list of objects in which whatever goes with what is removed is
// searched for.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ObjectTree } from '../../lib/object-tree.ts'

const KINDS = ['WorkerA', 'RouterA', 'WorkerB', 'RouterB'] as const
const groupOf = (kind: string) => kind.slice(0, -1)

interface Listed {
  handle: string
  kind: string
  parent: string | undefined
  owner?: string
}

/** What goes with an object, itself included. */
function closure(all: Listed[], handle: string): Set<string> {
  const gone = new Set<string>()
  for (let more = all.some(each => each.handle === handle) ? [handle] : []; more.length; ) {
    for (const each of more) gone.add(each)
    more = all
      .filter(each => !gone.has(each.handle) && (gone.has(each.parent!) || gone.has(each.owner!)))
      .map(each => each.handle)
  }
  return gone
}

const handle = fc.integer({ min: 0, max: 8 }).map(n => `k3x/${n}`)
const commands = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        add: handle,
        kind: fc.constantFrom(...KINDS),
        parent: fc.option(handle, { nil: undefined })
      })
    },
    { weight: 2, arbitrary: fc.record({ own: handle, owner: handle }) },
    { weight: 2, arbitrary: fc.record({ remove: handle }) }
  ),
  { maxLength: 60, size: 'max' }
)

test('the tree has what was added, without what was removed and all that goes with it', () => {
  const seen = { cascades: 0, owned: 0 }
  fc.assert(
    fc.property(commands, program => {
      let listed: Listed[] = []
      let told: string[] = []
      const tree = new ObjectTree<number>({
        groupOf,
        onRemoved: node => {
          told.push(node.handle)
        }
      })
      program.forEach((command, i) => {
        told = []
        if ('add' in command) {
          const { add, kind, parent } = command
          const node = tree.add(add, kind, parent, i)
          const known = listed.find(each => each.handle === add)
          if (!known && (parent === undefined || listed.some(each => each.handle === parent)))
            listed.push({ handle: add, kind, parent })
          assert.is(node?.handle, listed.find(each => each.handle === add)?.handle)
          if (!known && node) assert.is(node.data, i)
        } else if ('own' in command) {
          const { own, owner } = command
          tree.own(own, owner)
          const [node, second] = [own, owner].map(name => listed.find(each => each.handle === name))
          if (node && second && node.owner === undefined && !closure(listed, own).has(owner)) {
            node.owner = owner
            seen.owned++
          }
        } else {
          const gone = closure(listed, command.remove)
          if (gone.size > 1) seen.cascades++
          listed = listed.filter(each => !gone.has(each.handle))
          tree.remove(command.remove)
          assert.equal(told.toSorted(), [...gone].toSorted())
          if (gone.size) assert.is(told[0], command.remove)
        }
        assert.equal(
          [...tree.values()].map(node => node.handle).toSorted(),
          listed.map(each => each.handle).toSorted()
        )
        for (const { handle, parent } of listed) assert.is(tree.get(handle)!.parent?.handle, parent)
        for (const group of new Set(KINDS.map(groupOf)))
          assert.is(tree.count(group), listed.filter(each => groupOf(each.kind) === group).length)
      })
    }),
    { numRuns: 1_000 }
  )
  assert.ok(seen.cascades > 100 && seen.owned > 100, JSON.stringify(seen))
})

test('whoever is told of a removal may remove others', () => {
  const tree = new ObjectTree({
    onRemoved: ({ handle }) => tree.remove(handle === 'a/2' ? 'b/2' : 'a/2')
  })
  for (const node of ['a', 'b']) {
    tree.add(`${node}/1`, 'Router', undefined, undefined)
    tree.add(`${node}/2`, 'PipeTransport', `${node}/1`, undefined)
  }
  tree.remove('a/1')
  assert.equal(
    [...tree.values()].map(({ handle }) => handle),
    ['b/1']
  )
  assert.is(tree.count('PipeTransport'), 0)
})

test.run()
