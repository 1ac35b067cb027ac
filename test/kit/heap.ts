// The heap of a process that was started with --expose-gc.

/** What is in use, in bytes, once nothing is left to collect. */
export async function heap() {
  for (let i = 0; i < 3; i++) {
    await new Promise(resolve => setTimeout(resolve, 50))
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed
}
