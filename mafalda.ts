#!/usr/bin/env node
// The `mafalda` command.

import { enableCompileCache } from 'node:module'

// Before anything else is loaded: a leaf should be ready at once.
enableCompileCache?.()
const { main } = await import('./cli/main.ts')
await main(process.argv)
