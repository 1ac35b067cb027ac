import packageJson from 'mafalda/package.json' with { type: 'json' }

export const version: string = packageJson.version
