// What has to come, and when it is missing.

const MISSING_MS = 20_000

/** @throws an Error when it has not come for long. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const missing = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${MISSING_MS / 1000} s`)), MISSING_MS)
  })
  try {
    return await Promise.race([promise, missing])
  } finally {
    clearTimeout(timer)
  }
}
