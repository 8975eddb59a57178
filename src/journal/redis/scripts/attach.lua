-- A node joins, or comes back. ARGV: the format of the log, the node, its connection, the last entry that it has seen and
-- by whom that is (or empty), events kept of a room.
local format, node, connection, seen, seen_by, history = unpack(ARGV)
local now = now_ms()
local replicas = string.match(replication, 'connected_slaves:(%d+)') or '0'

if meta.format and meta.format ~= format then
  return { 'F', meta.format }
end
local lease_until, number, known_connection = read_node(node)
if lease_until and tonumber(known_connection) > tonumber(connection) then
  return replaced()
end

local is_settled = settle(format, now, node, seen, seen_by)
if redis.call('SISMEMBER', gone_key, node) == 1 then
  return { 'G' }
end
if not is_settled then
  return { 'N' }
end
if lease_until then
  write_node(node, digits(now + LEASE_MS), number, known_connection)
end
-- Nodes of which nothing is left but their leases have no say in what comes.
look_at_leases(node, now)
if meta.history ~= history then
  local others = redis.call('HLEN', nodes_key) - (lease_until and 1 or 0)
  if others > 0 then
    return { 'H', meta.history }
  end
  redis.call('HSET', meta_key, 'history', history)
end
write_node(node, digits(now + LEASE_MS), number or '0', connection)
local last = last_entry()
return { 'Y', meta.generation, number or '0', last, server, replicas, lease_until and '' or 'new' }
