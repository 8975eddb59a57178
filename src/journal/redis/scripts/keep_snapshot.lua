-- A room as all versions up to one have made it. ARGV: the code, the epoch, the version, the room.
local code, epoch, version, snapshot = unpack(ARGV)
if redis.call('HGET', rooms_key, code) ~= epoch then
  return 0
end
local tail = redis.call('LRANGE', key('tail:' .. epoch), 0, -1)
for i, change in ipairs(tail) do
  local position, by = string.match(change, '^(%S+) (%S+) ')
  if by == version then
    redis.call('LTRIM', key('tail:' .. epoch), i, -1)
    redis.call('HSET', key('room:' .. epoch), 'snapshot', snapshot, 'snapshot_position', position)
    return 1
  end
end
return 0
