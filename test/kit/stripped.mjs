// Sources without their types, made once for all processes of a test run: to strip them again in
// each of hundreds took a tenth of the run. Offsets stay, so coverage is exact.
//
// To be run with a file to write to; to be preloaded with STRIPPED naming that file.

import { globSync, readFileSync, writeFileSync } from 'node:fs'
import module from 'node:module'
import { pathToFileURL } from 'node:url'

const SOURCES = '{lib,client,server,proxy,register,cli,conformance,examples,test}/**/*.ts'

const { STRIPPED } = process.env
if (process.argv[1] === import.meta.filename) write(/** @type {string} */ (process.argv[2]))
else if (STRIPPED) serve(JSON.parse(readFileSync(STRIPPED, 'utf8')))

/** @param {string} file */
function write(file) {
  const entries = [...globSync('*.ts'), ...globSync(SOURCES)].map(source => [
    pathToFileURL(source).href,
    module.stripTypeScriptTypes(readFileSync(source, 'utf8'))
  ])
  writeFileSync(file, JSON.stringify(Object.fromEntries(entries)))
}

/** @param {Record<string, string>} stripped */
function serve(stripped) {
  module.registerHooks?.({
    load: (url, context, nextLoad) =>
      Object.hasOwn(stripped, url)
        ? { format: 'module', source: stripped[url], shortCircuit: true }
        : nextLoad(url, context)
  })
}
