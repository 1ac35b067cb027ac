// The algebra: everything the project ships is an expression of these functions. Each of these
// files lists what it exports.

export * from './client/index.ts'
export * from './lib/index.ts'
export * from './proxy/index.ts'
export * from './server/index.ts'
