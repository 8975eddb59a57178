-- What all scripts share. KEYS[1] is the stream; all keys begin as it does, so that they are in one slot.
local log = KEYS[1]
local prefix = string.sub(log, 1, -4)

local LEASE_MS = 6000
local SETTLING_MS = 10000
local KEPT_MS = 300000

local function key(name)
  return prefix .. name
end

-- While a Redis Cluster gives the slot to another server, what is not here may be there already. Asked for a key that is
-- nowhere, it says so: and nothing is done before it is over.
redis.call('EXISTS', key('nowhere'))

local meta_key, nodes_key, rooms_key, waiting_key, gone_key =
  key('meta'), key('nodes'), key('rooms'), key('waiting'), key('gone')

-- By the one clock that counts.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function digits(number)
  return string.format('%.0f', number)
end

-- A hash's fields by their names.
local function read_fields(hash)
  local flat = redis.call('HGETALL', hash)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- A node as it is kept: until when its lease is, the last number that was looked at, its connection.
local function read_node(node)
  local known = redis.call('HGET', nodes_key, node)
  if not known then
    return nil
  end
  return string.match(known, '^(%d+) (%d+) (%d+)$')
end

local function write_node(node, lease_until, number, connection)
  redis.call('HSET', nodes_key, node, lease_until .. ' ' .. number .. ' ' .. connection)
end

local function replaced()
  return redis.error_reply('REPLACED a newer connection of this node is there')
end

local function push(by, event_id, flags, code, epoch, payload)
  local head = by .. ' ' .. event_id .. ' ' .. flags .. ' ' .. code .. ' ' .. epoch .. '\n'
  return redis.call('XADD', log, '*', 'd', head .. payload)
end

-- The last entry's position, and by whom it is, if there is one.
local function last_entry()
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last then
    return '0-0', ''
  end
  return last[1], string.match(last[2][2], '^%S+')
end

local function is_before(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)-(%d+)$')
  a_ms, a_sequence, b_ms, b_sequence = tonumber(a_ms), tonumber(a_sequence), tonumber(b_ms), tonumber(b_sequence)
  return a_ms < b_ms or (a_ms == b_ms and a_sequence < b_sequence)
end
