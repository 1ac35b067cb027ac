// What is asked of Redis: each question is one script, so that nobody comes between its steps. They
// use only what Valkey has, too. Each takes a bounded number of keys.

import { eventScripts } from './redis-event-scripts.ts'
import { ROOMS as SUBJECTS } from './store.ts'

/** How far the clock of leases goes on between two scripts at most, in ms. */
const STEP_MS = 1_000
/** How long a store that nobody has seen before gives no new places, in ms. */
const NEW_STORE_MS = 1_000

/**
 * Leases run by a clock of the store, that of Redis, which stands still while nobody asks: who comes
 * back after Redis was away finds its leases as they were. A store that has lost all has another
 * generation: who asks puts back what it knows before it asks again.
 *
 * ARGV: the generation that who asks knows, and the one that the store gets if it has none.
 */
const BEGIN = `
local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = redis.call('HMGET', 'mafalda:clock', 'seen', 'ms')
local passed = wall - (tonumber(clock[1]) or wall)
local now = (tonumber(clock[2]) or 0) + math.max(0, math.min(passed, ${STEP_MS}))
if not clock[1] or passed < 0 or passed >= 100 then
  redis.call('HSET', 'mafalda:clock', 'seen', wall, 'ms', now)
end

local generation = redis.call('GET', 'mafalda:generation')
if not generation then
  generation = ARGV[2]
  redis.call('SET', 'mafalda:generation', generation)
  redis.call('SET', 'mafalda:refill', now + ${NEW_STORE_MS})
end
if generation ~= ARGV[1] then return redis.error_reply('GENERATION ' .. generation) end

local function refilling() return now < tonumber(redis.call('GET', 'mafalda:refill') or 0) end
local refilled = redis.error_reply('REFILL the store was emptied, and is being filled again')
`

const HOSTS = `
local function told()
  redis.call('INCR', 'mafalda:version')
  redis.call('PUBLISH', 'mafalda:changes', 'hosts')
end
local function isThere(id) return redis.call('HEXISTS', 'mafalda:hosts', id) == 1 end
local function add(id, host, lease)
  local before = redis.call('HGET', 'mafalda:hosts', id)
  redis.call('ZADD', 'mafalda:leases', 'GT', now + lease, id)
  if before == host then return end
  redis.call('HSET', 'mafalda:hosts', id, host)
  told()
end
local function remove(id)
  if redis.call('HDEL', 'mafalda:hosts', id) == 0 then return end
  redis.call('ZREM', 'mafalda:leases', id)
  redis.call('DEL', 'mafalda:holders:' .. id)
  told()
end
local function heldUntil(id)
  local last = 0
  local holders = redis.call('HGETALL', 'mafalda:holders:' .. id)
  for i = 1, #holders, 2 do
    local ends = tonumber(holders[i + 1])
    if ends < now then redis.call('HDEL', 'mafalda:holders:' .. id, holders[i]) end
    if ends >= now then last = math.max(last, ends) end
  end
  return last
end
`

// A record is "EPOCH HOST", and "EPOCH HOST UNTIL" when only its epoch is of use, until then. Of a
// room that was removed, HOST is "/".
const ROOMS = `
local function read(room)
  local record = redis.call('HGET', 'mafalda:rooms', room)
  if not record then return 0, '/', '' end
  local epoch, host, ends = string.match(record, '^(%d+) (%S+) ?(%d*)$')
  return tonumber(epoch), host, ends
end
local function write(room, epoch, host, ends)
  local record = string.format('%.0f %s', epoch, host)
  if ends then record = record .. string.format(' %.0f', ends) end
  redis.call('HSET', 'mafalda:rooms', room, record)
end
`

const hosts = (body: string) => BEGIN + HOSTS + body
const rooms = (body: string) => BEGIN + HOSTS + ROOMS + body

export const scripts = {
  /** Id, host, lease. */
  register: hosts(`add(ARGV[3], ARGV[4], tonumber(ARGV[5]))`),
  /** Id. */
  unregister: hosts(`remove(ARGV[3])`),
  /** Id, registry, lease. */
  hold: hosts(`
    if not isThere(ARGV[3]) then return end
    redis.call('HSET', 'mafalda:holders:' .. ARGV[3], ARGV[4], now + ARGV[5])
    redis.call('ZADD', 'mafalda:leases', 'GT', now + ARGV[5], ARGV[3])`),
  /** Id, registry. */
  release: hosts(`
    if redis.call('HDEL', 'mafalda:holders:' .. ARGV[3], ARGV[4]) == 0 then return end
    if heldUntil(ARGV[3]) == 0 then remove(ARGV[3]) end`),
  /** Takes out whose lease is over, and answers the version of the hosts. */
  sweep: hosts(`
    local due = redis.call('ZRANGEBYSCORE', 'mafalda:leases', '-inf', '(' .. now, 'LIMIT', 0, 100)
    for _, id in ipairs(due) do
      local last = heldUntil(id)
      if last > 0 then redis.call('ZADD', 'mafalda:leases', last, id) else remove(id) end
    end
    return tonumber(redis.call('GET', 'mafalda:version') or 0)`),
  /** The version, and the hosts. */
  hosts: hosts(`
    local version = tonumber(redis.call('GET', 'mafalda:version') or 0)
    return { version, redis.call('HVALS', 'mafalda:hosts') }`),
  /** What a client knew of a store that was emptied: ms in which others may come, lease, id, host, … */
  restore: hosts(`
    local ends = now + ARGV[3]
    if tonumber(redis.call('GET', 'mafalda:refill') or 0) < ends then
      redis.call('SET', 'mafalda:refill', ends)
    end
    for i = 5, #ARGV, 2 do
      if not isThere(ARGV[i]) then add(ARGV[i], ARGV[i + 1], tonumber(ARGV[4])) end
    end`),

  /** Room, host, … in the order of preference. */
  assign: rooms(`
    local epoch, host = read(ARGV[3])
    if isThere(host) then return { host, epoch, 0 } end
    if refilling() then return refilled end
    for i = 4, #ARGV do
      if isThere(ARGV[i]) then
        write(ARGV[3], epoch + 1, ARGV[i])
        return { ARGV[i], epoch + 1, 1 }
      end
    end`),
  /** Room. */
  place: rooms(`
    local epoch, host = read(ARGV[3])
    if isThere(host) then return { host, epoch } end
    if refilling() then return refilled end`),
  /** Room, for how long its epoch is kept. */
  remove: rooms(`
    local epoch, host = read(ARGV[3])
    if host == '/' then
      if refilling() then return refilled end
      return
    end
    write(ARGV[3], epoch, '/', now + ARGV[4])
    return { host, epoch }`),
  /** Room, host, epoch, …: what the store may have lost. Of two, the greater epoch is the newer one. */
  putBack: rooms(`
    for i = 3, #ARGV, 3 do
      local room, host, epoch = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
      local known, current = read(room)
      if epoch > known then
        if refilling() or current == host or not isThere(current) then write(room, epoch, host)
        else write(room, epoch + 1, current) end
      end
    end`),
  /** How long epochs are kept, room, …: those without a host are forgotten then. */
  tidy: rooms(`
    for i = 4, #ARGV do
      local epoch, host, ends = read(ARGV[i])
      if isThere(host) then
        if ends ~= '' then write(ARGV[i], epoch, host) end
      elseif ends == '' then
        if epoch > 0 then write(ARGV[i], epoch, host, now + ARGV[3]) end
      elseif tonumber(ends) < now then
        redis.call('HDEL', 'mafalda:rooms', ARGV[i])
        redis.call('HDEL', 'mafalda:told', '${SUBJECTS}' .. ARGV[i])
      end
    end`),

  /** Task, registry, lease. */
  lead:
    BEGIN +
    `
    local leader = redis.call('HMGET', 'mafalda:lead:' .. ARGV[3], 'registry', 'until')
    if not leader[1] and refilling() then return refilled end
    if leader[1] and leader[1] ~= ARGV[4] and tonumber(leader[2]) >= now then return 0 end
    redis.call('HSET', 'mafalda:lead:' .. ARGV[3], 'registry', ARGV[4], 'until', now + ARGV[5])
    return 1`,
  /** Task, registry, lease: of who led when the store was emptied. */
  leadAgain:
    BEGIN +
    `
    if redis.call('EXISTS', 'mafalda:lead:' .. ARGV[3]) == 1 then return end
    redis.call('HSET', 'mafalda:lead:' .. ARGV[3], 'registry', ARGV[4], 'until', now + ARGV[5])`,

  ...eventScripts(BEGIN)
} as const
