// Each Worker on another child than the one before: what tests pipes between hosts.

export function inTurn<C>(candidates: () => C[]) {
  let turn = 0
  return (): C[] => {
    const all = candidates()
    const first = turn++ % Math.max(all.length, 1)
    return [...all.slice(first), ...all.slice(0, first)]
  }
}
