// The documents, taken apart as far as their tests need it.

import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What people read, from the root of the project. */
export const documents = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'lib/PROTOCOL.md',
  ...globSync(['docs/**/*.md', 'examples/**/*.md'], { cwd: root }).toSorted()
]

export const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8')

export interface Fence {
  language: string
  text: string
  /** The line of its first line. */
  line: number
}

const FENCE = /^```(\S*)\n([\s\S]*?)^```$/gm

export function fencesOf(markdown: string, ...languages: string[]): Fence[] {
  return [...markdown.matchAll(FENCE)]
    .map(({ 0: all, 1: language = '', 2: text = '', index }) => ({
      language,
      text,
      line: markdown.slice(0, index).split('\n').length + 1,
      all
    }))
    .filter(({ language }) => languages.includes(language))
}

/** What is told in words, block by block: paragraphs, items of lists and cells of tables. */
export function blocksOf(markdown: string): { text: string; isCell: boolean }[] {
  const blocks: { text: string; isCell: boolean }[] = []
  let paragraph = ''
  const end = () => {
    if (paragraph) blocks.push({ text: paragraph, isCell: false })
    paragraph = ''
  }
  for (const line of markdown.replace(FENCE, '').split('\n')) {
    if (line.startsWith('|')) {
      end()
      for (const text of line.split(/(?<!\\)\|/).slice(1, -1)) blocks.push({ text, isCell: true })
    } else if (/^(#|    |$)/.test(line)) {
      end() // A heading, code, or nothing.
    } else {
      const [, mark, text] = /^\s*([-*]|\d+\.)?\s*(.*)$/.exec(line)!
      if (mark) end()
      paragraph += ` ${text}`
    }
  }
  end()
  return blocks.map(({ text, isCell }) => ({ text: plain(text), isCell }))
}

/** Without its marks; code in a line is one word, also at the start of a sentence. */
const plain = (text: string) =>
  text
    .replace(/`[^`]*`/g, 'Code')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_]{2}/g, '')
    .trim()

export const sentencesOf = (text: string): string[] =>
  text.split(/(?<=[.?!]["”)]?)\s+(?=["“(]?[\p{Lu}\d])/u).filter(sentence => /\p{L}/u.test(sentence))

export const wordsOf = (sentence: string): number =>
  sentence.split(/\s+/).filter(word => /[\p{L}\d]/u.test(word)).length

/** The names that a link after `#` can have, as GitHub makes them of headings. */
export const anchorsOf = (markdown: string): string[] =>
  [...markdown.replace(FENCE, '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\d _-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
  )

export const linksOf = (markdown: string): string[] =>
  [...markdown.replace(FENCE, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
