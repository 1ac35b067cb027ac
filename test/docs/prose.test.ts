// The documents are short sentences in plain words, and their links lead somewhere.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  anchorsOf,
  blocksOf,
  documents,
  linksOf,
  read,
  root,
  sentencesOf,
  wordsOf
} from './markdown.ts'

const AVERAGE = 25
const LONGEST = 60
const README_LINES = 150

test('sentences are counted as a reader does', () => {
  const markdown = [
    '# A heading of words',
    '',
    'One two three. Four `a b c` six,',
    'seven [eight nine](x.md).',
    '',
    '- An item. Two words',
    '',
    '```sh',
    'npm test',
    '```',
    '',
    '| a cell | more |'
  ].join('\n')
  const counted = blocksOf(markdown).map(({ text }) => sentencesOf(text).map(wordsOf))
  assert.equal(counted, [[3, 6], [2, 2], [2], [1]])
})

for (const file of documents) {
  test(`${file}: at most ${AVERAGE} words a sentence on average, and ${LONGEST} in any`, () => {
    const blocks = blocksOf(read(file))
    const counts = blocks
      .filter(({ isCell }) => !isCell)
      .flatMap(({ text }) => sentencesOf(text))
      .map(wordsOf)
    const average = counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length)
    assert.ok(average <= AVERAGE, `${average.toFixed(1)} words a sentence`)
    const all = blocks.flatMap(({ text }) => sentencesOf(text))
    assert.equal(
      all.filter(sentence => wordsOf(sentence) > LONGEST),
      []
    )
  })

  test(`${file}: its relative links lead to files, and to headings that are there`, () => {
    const broken = linksOf(read(file))
      .filter(link => !/^[a-z]+:/.test(link))
      .filter(link => {
        const [path = '', anchor] = link.split('#')
        const target = path ? join(dirname(file), path) : file
        if (!existsSync(join(root, target))) return true
        return anchor !== undefined && !anchorsOf(read(target)).includes(anchor)
      })
    assert.equal(broken, [])
  })
}

test(`README.md has at most ${README_LINES} lines`, () => {
  const lines = read('README.md').trimEnd().split('\n').length
  assert.ok(lines <= README_LINES, `${lines} lines`)
})

test('each page of docs/ is linked from README.md', () => {
  const linked = linksOf(read('README.md')).map(link => link.split('#')[0])
  assert.equal(
    documents.filter(file => file.startsWith('docs/') && !linked.includes(file)),
    []
  )
})

test.run()
