// Loaded into a process under test before all else: tells its heap when asked. Started with
// --expose-gc.

async function heapUsed(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await new Promise(resolve => setTimeout(resolve, 20))
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed
}

process.on('message', async ({ heap }: { heap?: true }) => {
  if (heap) process.send!({ heap: await heapUsed() })
})
process.channel!.unref() // The process ends as it would without us.
