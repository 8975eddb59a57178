-- Rooms as they are at this time. ARGV: codes and epochs. Those that are over are left out.
local rooms = { (last_entry()) }
for i = 1, #ARGV, 2 do
  local code, epoch = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', rooms_key, code) == epoch then
    local fields = redis.call('HMGET', key('room:' .. epoch), 'version', 'first', 'last', 'time', 'snapshot',
      'snapshot_position', 'former')
    rooms[#rooms + 1] = { code, epoch, fields, redis.call('LRANGE', key('tail:' .. epoch), 0, -1) }
  end
end
return rooms
