// What runs inside jest and in the host processes is bundled, because it has to import the
// mediasoup of the run's folder. build.mjs makes the bundles for dist/conformance/; when the
// sources run directly, bundle.ts makes them for each run.

/**
 * esbuild's options for all of them, but for where they go. Sources are relative to the package's
 * root.
 * @type {import('esbuild').BuildOptions}
 */
export const bundles = {
  entryPoints: { adapter: 'conformance/jest/adapter.ts', host: 'conformance/host.ts' },
  bundle: true,
  platform: 'node',
  target: 'node22',
  // jest loads what it tests as CommonJS.
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  external: ['mediasoup', 'mediasoup/*'],
  logLevel: 'error'
}
