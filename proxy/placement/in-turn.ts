// Each Worker on another child than the one before: what tests pipes between hosts.

export function inTurn() {
  let turn = 0
  return <C>(candidates: C[]): C[] => {
    const first = turn++ % Math.max(candidates.length, 1)
    return [...candidates.slice(first), ...candidates.slice(0, first)]
  }
}
