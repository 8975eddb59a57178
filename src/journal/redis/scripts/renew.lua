-- A node is there. ARGV: the node, its connection. What is too old goes out of the stream.
local node, connection = unpack(ARGV)
local lease_until, number, known_connection = read_node(node)
if not lease_until then
  return { 'G' }
end
if known_connection ~= connection then
  return replaced()
end
local now = now_ms()
write_node(node, digits(now + LEASE_MS), number, connection)
if redis.call('HEXISTS', meta_key, 'until') == 0 then
  look_at_leases(node, now)
end
-- The last entry stays, so that it is known by whom it is.
local last = last_entry()
local first_kept = digits(now - KEPT_MS) .. '-0'
if is_before(last, first_kept) then
  first_kept = last
end
-- Nothing is before the beginning, and Redis refuses to look there.
local trimmed = first_kept ~= '0-0' and redis.call('XREVRANGE', log, '(' .. first_kept, '-', 'COUNT', 1)[1]
if trimmed then
  redis.call('XTRIM', log, 'MINID', first_kept)
  redis.call('HSET', meta_key, 'trimmed', trimmed[1])
end
return { 'Y', redis.call('HGET', meta_key, 'generation'), last, redis.call('HLEN', nodes_key) }
