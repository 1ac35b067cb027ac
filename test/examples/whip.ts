// A client of WHIP and WHEP that speaks nothing but HTTP.

export function post(url: string, path: string, body: string, headers: HeadersInit = {}) {
  const type = { 'content-type': 'application/sdp' }
  return fetch(`${url}/${path}`, { method: 'POST', body, headers: { ...type, ...headers } })
}

export function patch(session: URL, body: string, headers: HeadersInit) {
  const type = { 'content-type': 'application/trickle-ice-sdpfrag' }
  return fetch(session, { method: 'PATCH', body, headers: { ...type, ...headers } })
}

/** Where the session is that was made. */
export const sessionOf = ({ headers, url }: Response) => new URL(headers.get('location')!, url)
