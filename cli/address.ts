// Where a tier listens.

export interface Address {
  host: string
  port: number
}
