// The licences of the packages that are bundled for browsers, which go where their code goes.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param {import('esbuild').Metafile[]} bundles
 * @returns {string}
 */
export function licensesOf(bundles) {
  const files = bundles.flatMap(({ inputs }) => Object.keys(inputs))
  const packages = files.flatMap(
    file => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []
  )
  return [...new Set(packages)].sort().map(licenseOf).join('\n\n')
}

/** @param {string} name */
function licenseOf(name) {
  const folder = join('node_modules', name)
  const { version, license, author } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8')
  )
  const file = readdirSync(folder).find(each => /^licen[cs]e/i.test(each))
  const text = file
    ? readFileSync(join(folder, file), 'utf8').trim()
    : `Copyright ${author?.name ?? author}`
  return `${name} ${version}, ${license}\n\n${text}`
}
