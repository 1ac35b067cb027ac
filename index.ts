// The algebra: everything the project ships is an expression of these functions.

export * from './lib/index.ts'
export * from './client/index.ts'
export * from './server/index.ts'
export * from './proxy/index.ts'
