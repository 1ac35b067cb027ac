// A host that registers: where it is, and what it says of itself.

export interface Host {
  /** Its name, which stays when its address changes: 1 to 128 of the characters A–Z a–z 0–9 . _ : - */
  readonly id: string
  /** Where clients connect to: `ws://` or `wss://` of a tier, `http://` or `https://` of an application server. */
  readonly url: string
  /** What its certificate is for, where its URL has an address. */
  readonly servername?: string
  /** Such as `region` and `zone`. */
  readonly labels?: Readonly<Record<string, string>>
  /** Whose token or certificate registered it: nobody else may change it. */
  readonly owner?: string
  /** What an application server tells of its load. That of a tier comes over its own connection. */
  readonly status?: HostStatus
}

export interface HostStatus {
  /** How many cores there are for rooms, */
  readonly capacity: number
  /** and how many of these are in use. */
  readonly used: number
  /** Whether it takes no new rooms, because it is about to end. */
  readonly draining?: boolean
}

/** A host has registered, has registered with other properties, or is gone. */
export type HostChange = { readonly host: Host } | { readonly gone: string }

/** Hosts that come and go. */
export interface Hosts {
  /**
   * Those that are there, each once, and from then on what changes, until the signal ends it. While
   * the source cannot be asked, nothing changes: who cannot read must not delete.
   */
  changes(signal: AbortSignal): AsyncIterable<HostChange>
}
