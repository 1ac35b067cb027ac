// The events that are to be told, in Redis: a list for each subject, and when the next one of each
// may be taken. (Readers of one Redis Stream would get two events of a subject at a time.)

/** Of a script that has published when it is over. */
const publish = (subject: string, body: string) => `
    local last = tonumber(redis.call('GET', 'mafalda:event') or 0)
    local id = string.format('%016.0f', math.max(last + 1, wall * 1000))
    redis.call('SET', 'mafalda:event', id)
    redis.call('RPUSH', 'mafalda:events:' .. ${subject}, id .. ' ' .. ${body})
    redis.call('ZADD', 'mafalda:subjects', 'NX', now, ${subject})
    redis.call('PUBLISH', 'mafalda:changes', 'events')`

/** @param begin what each script begins with */
export const eventScripts = (begin: string) => ({
  /** Subject, body. Ids go on rising in a store that was emptied. */
  publish: begin + publish('ARGV[3]', 'ARGV[4]'),
  /** Subject, body, the body of a first event, and the state that it tells, if there is one. */
  tell: `${begin}
    local told = redis.call('HGET', 'mafalda:told', ARGV[3]) or nil
    if told == ARGV[6] then return 0 end
    if ARGV[6] then redis.call('HSET', 'mafalda:told', ARGV[3], ARGV[6])
    else redis.call('HDEL', 'mafalda:told', ARGV[3]) end
    local body = told and ARGV[4] or ARGV[5]
    ${publish('ARGV[3]', 'body')}
    return 1`,
  /** Subject, state, …: what had been told when the store was emptied. */
  toldAgain: `${begin}
    for i = 3, #ARGV, 2 do redis.call('HSETNX', 'mafalda:told', ARGV[i], ARGV[i + 1]) end`,
  /** Reader, patience. */
  take: `${begin}
    local due = redis.call('ZRANGEBYSCORE', 'mafalda:subjects', '-inf', now, 'LIMIT', 0, 1)
    local subject = due[1]
    if not subject then return end
    redis.call('ZADD', 'mafalda:subjects', now + ARGV[4], subject)
    redis.call('HSET', 'mafalda:taken', subject, ARGV[4] .. ' ' .. ARGV[3])
    return { subject, redis.call('LINDEX', 'mafalda:events:' .. subject, 0) }`,
  /** Reader, subject, id. */
  keep: `${begin}
    local taken = redis.call('HGET', 'mafalda:taken', ARGV[4]) or ''
    local patience, reader = string.match(taken, '^(%d+) (.*)$')
    local first = redis.call('LINDEX', 'mafalda:events:' .. ARGV[4], 0) or ''
    if reader == ARGV[3] and string.sub(first, 1, #ARGV[5]) == ARGV[5] then
      redis.call('ZADD', 'mafalda:subjects', 'XX', now + patience, ARGV[4])
    end`,
  /** Subject, id, body. */
  settle: `${begin}
    local events, event = 'mafalda:events:' .. ARGV[3], ARGV[4] .. ' ' .. ARGV[5]
    local wasFirst = redis.call('LINDEX', events, 0) == event
    if redis.call('LREM', events, 1, event) == 0 or not wasFirst then return end
    redis.call('HDEL', 'mafalda:taken', ARGV[3])
    if redis.call('EXISTS', events) == 0 then
      redis.call('ZREM', 'mafalda:subjects', ARGV[3])
    else
      redis.call('ZADD', 'mafalda:subjects', now, ARGV[3])
      redis.call('PUBLISH', 'mafalda:changes', 'events')
    end`
})
