-- Changes are appended, each if it is at the version of what it is about. ARGV: the node, its connection, the generation,
-- the server, then ARGUMENTS a change, as `append_arguments` gives them. Answers a verdict for each: A, O, D and the id of
-- the event, N.
local node, connection, generation, server = unpack(ARGV, 1, 4)
local FIRST = 4
local KEYED_EVENTS = 16384
local TRIMMED_AT_ONCE = 1000

local lease_until, last_number, known_connection = read_node(node)
if lease_until and known_connection ~= connection then
  return replaced()
end
local meta = redis.call('HMGET', meta_key, 'server', 'generation', 'until', 'history', 'accounts_version')
if meta[1] ~= server or meta[2] ~= generation or meta[3] then
  return { 'X' }
end
if not lease_until then
  return { 'G' }
end
local history, accounts_version = tonumber(meta[4]), meta[5] or ''
last_number = tonumber(last_number)

-- A payload without its text, or without its text and its file.
local function cut(payload, with_file)
  local first = string.find(payload, '\n', 1, true)
  local second = first and string.find(payload, '\n', first + 1, true)
  if not second then
    return payload
  end
  return string.sub(payload, 1, first) .. (with_file and '\n' or string.sub(payload, second))
end

-- Takes the text, or the text and the file, out of an event. Returns the event as it was.
local function erase(events, id, with_file)
  local payload = redis.call('HGET', events, id)
  local rest = payload and cut(payload, with_file)
  if rest and #rest < #payload then
    redis.call('HSET', events, id, rest)
  end
  return payload
end

-- What is kept of a room's changes has no text, but the files.
local function erase_of_tail(tail, of)
  for place, change in ipairs(redis.call('LRANGE', tail, 0, -1)) do
    local head, id, payload = string.match(change, '^(%S+ %S+ (%S+)\n)(.*)$')
    if id == of then
      redis.call('LSET', tail, place - 1, head .. cut(payload, true))
    end
  end
end

local function erase_all(epoch, of, with_file)
  local events, amends = key('events:' .. epoch), key('amends:' .. epoch)
  local erased = erase(events, of, with_file)
  if with_file and erased and string.sub(erased, -1) ~= '\n' then
    erase_of_tail(key('tail:' .. epoch), of)
  end
  -- Those of all that amends it that have a text still: however often it was reacted to, they are one at the most.
  for _, edit in ipairs(redis.call('ZRANGEBYSCORE', amends, '-' .. of, '-' .. of)) do
    erase(events, string.sub(edit, 2), with_file)
  end
  redis.call('ZREMRANGEBYSCORE', amends, '-' .. of, '-' .. of)
  if with_file then
    redis.call('ZADD', amends, of, 'x' .. of)
  end
end

-- Events behind those that are kept, and what was known of them.
local function trim(epoch, first, last)
  local ids, marked = {}, {}
  while first <= last - history and #ids < TRIMMED_AT_ONCE do
    local id = digits(first)
    ids[#ids + 1] = id
    marked[#marked + 1] = id
    marked[#marked + 1] = 'x' .. id
    marked[#marked + 1] = 'e' .. id
    first = first + 1
  end
  if #ids > 0 then
    redis.call('HDEL', key('events:' .. epoch), unpack(ids))
    redis.call('ZREM', key('amends:' .. epoch), unpack(marked))
  end
  if last % 64 == 0 then
    local keyed = math.max(history, KEYED_EVENTS)
    redis.call('ZREMRANGEBYSCORE', key('keys:' .. epoch), '-inf', digits(last - keyed))
  end
  return digits(first)
end

local function append(change)
  if tonumber(change.number) <= last_number then
    -- It was looked at before.
    return 'A'
  end
  last_number = tonumber(change.number)
  local by = node .. '-' .. change.number
  if change.has('d') and change.accounts ~= accounts_version then
    return 'O'
  end
  if change.has('a') then
    append_of_account(change, by)
    accounts_version = by
    return 'A'
  end
  local epoch = change.epoch
  local room_key, events, keys = key('room:' .. epoch), key('events:' .. epoch), key('keys:' .. epoch)
  local code, version, first, last = unpack(redis.call('HMGET', room_key, 'code', 'version', 'first', 'last'))
  if change.has('o') then
    if code or redis.call('HSETNX', rooms_key, change.code, epoch) == 0 then
      return 'O'
    end
    first, last = '1', '0'
    redis.call('HSET', room_key, 'code', change.code, 'first', first, 'last', last, 'time', '0',
      'snapshot_position', (last_entry()))
  else
    if code ~= change.code or version ~= change.version then
      return 'O'
    end
    local said = change.field ~= '' and redis.call('ZSCORE', keys, change.field)
    if said then
      return 'D' .. digits(tonumber(said))
    end
    if change.of ~= '' and (redis.call('HEXISTS', events, change.of) == 0
        or redis.call('ZSCORE', key('amends:' .. epoch), 'x' .. change.of)) then
      return 'N'
    end
  end
  local event_id = '-'
  local fields = {}
  if change.has('n') then
    event_id = digits(tonumber(last) + 1)
    if change.has('x') then
      erase_all(epoch, change.of, change.has('f'))
    end
    redis.call('HSET', events, event_id, change.payload)
    if change.of ~= '' then
      redis.call('ZADD', key('amends:' .. epoch), change.of, event_id)
    end
    if change.has('x') and not change.has('f') then
      redis.call('ZADD', key('amends:' .. epoch), '-' .. change.of, 'e' .. event_id)
    end
    if change.field ~= '' then
      redis.call('ZADD', keys, event_id, change.field)
    end
    fields = { 'last', event_id, 'first', trim(epoch, tonumber(first), tonumber(event_id)) }
  end
  local position = log_change(change, by, event_id)
  if change.has('e') then
    redis.call('HDEL', rooms_key, change.code)
    redis.call('UNLINK', room_key, events, keys, key('tail:' .. epoch), key('amends:' .. epoch))
    return 'A'
  end
  if change.has('v') then
    fields[#fields + 1] = 'version'
    fields[#fields + 1] = by
    -- What was said changes no room: a text that is deleted or corrected later stands here in no case.
    local kept = position .. ' ' .. by .. ' ' .. event_id .. '\n' .. cut(change.payload, false)
    redis.call('RPUSH', key('tail:' .. epoch), kept)
  end
  if change.time ~= '' then
    fields[#fields + 1] = 'time'
    fields[#fields + 1] = change.time
  end
  if #fields > 0 then
    redis.call('HSET', room_key, unpack(fields))
  end
  return 'A'
end

local verdicts = {}
for at = FIRST + 1, #ARGV, ARGUMENTS do
  verdicts[#verdicts + 1] = append(read_change(at))
end
write_node(node, lease_until, digits(last_number), connection)
return verdicts
