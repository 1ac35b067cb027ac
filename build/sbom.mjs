// `npm run --silent sbom`: the packages that a host runs, as CycloneDX, on stdout. Those are the
// dependencies and mediasoup, which is a peer dependency: npm counts it with the development ones,
// and leaves out what these share with us.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../server/worker/commands.mjs'

// Nothing on stderr, which is part of the output.
const LOCK_ONLY = ['--package-lock-only', '--offline', '--loglevel=error']
const root = fileURLToPath(new URL('..', import.meta.url))

/** @param {string} scratch */
async function sbom(scratch) {
  const { devDependencies, peerDependencies, ...project } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8')
  )
  Object.assign(project.dependencies, peerDependencies)
  // npm calls the project by the name of its folder.
  const cwd = join(scratch, project.name)
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'package.json'), JSON.stringify(project))
  copyFileSync(join(root, 'package-lock.json'), join(cwd, 'package-lock.json'))

  async function npm(/** @type {string[]} */ ...args) {
    const { status, output } = await run('npm', [...args, ...LOCK_ONLY], { cwd })
    if (status !== 0)
      throw new Error(`npm ${args[0]} must succeed, but it exited with ${status}:\n${output}`)
    return output
  }
  // Takes out of the lock file what no package needs any more. All versions stay.
  await npm('install', '--ignore-scripts', '--no-audit', '--no-fund')
  return npm('sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application')
}

const scratch = mkdtempSync(join(tmpdir(), 'mafalda-sbom-'))
try {
  process.stdout.write(await sbom(scratch))
} finally {
  rmSync(scratch, { recursive: true })
}
