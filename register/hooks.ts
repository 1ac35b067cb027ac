// Which module an application gets for each name of mediasoup's: by ESM, CommonJS or whatever
// resolves as Node.js does.

import module from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Mediasoup } from '../lib/mediasoup.ts'

// These two are beside the sources, and beside dist/.
const MEDIASOUP = new URL('../register/mediasoup.cjs', import.meta.url).href
const PRODUCT = new URL('../dist/', import.meta.url).href

const require = module.createRequire(import.meta.url)

const isOurs = (file = '') => file === import.meta.url || file.startsWith(PRODUCT)

/**
 * From here on, `mediasoup` is this one in the whole thread. What was imported before stays as it
 * is: so does what we have imported ourselves.
 */
export function replaceMediasoup(mediasoup: Partial<Mediasoup>) {
  // Not a named import, which would fail without a word of what to do.
  if (!module.registerHooks)
    throw new Error(`Node.js must be 22.15 or newer (this is ${process.versions.node})`)
  Object.assign(globalThis, { [Symbol.for('mafalda.mediasoup')]: mediasoup })
  module.registerHooks({
    resolve(specifier, context, next) {
      if (isOurs(context.parentURL)) return next(specifier, context)
      if (specifier === 'mediasoup')
        return { url: MEDIASOUP, format: 'commonjs', shortCircuit: true }
      // The application may have a mediasoup of its own: its classes of errors would be others.
      if (specifier.startsWith('mediasoup/'))
        return { url: pathToFileURL(require.resolve(specifier)).href, shortCircuit: true }
      return next(specifier, context)
    }
  })
}
