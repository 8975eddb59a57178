-- Nodes that are there, and those that are no more.
local function remove_node(node, by)
  redis.call('HDEL', nodes_key, node)
  redis.call('HDEL', key('seen'), node)
  -- It is known as such for ever: nothing that it still sends is taken for that of a new one.
  redis.call('SADD', gone_key, node)
  push(by .. '-0', '-', 'G', '-', '-', node)
end

local function extend_leases(now)
  redis.call('HSET', meta_key, 'renewed_at', digits(now))
  for node, _ in pairs(read_fields(nodes_key)) do
    local _, number, connection = read_node(node)
    write_node(node, digits(now + LEASE_MS), number, connection)
  end
end

-- Gives up nodes that have not renewed their leases; unless nobody could, or the clock was set back.
local function look_at_leases(by, now)
  local renewed_at = tonumber(redis.call('HGET', meta_key, 'renewed_at') or '0')
  if renewed_at + LEASE_MS / 2 < now or renewed_at > now then
    return extend_leases(now)
  end
  redis.call('HSET', meta_key, 'renewed_at', digits(now))
  local over = {}
  for node, _ in pairs(read_fields(nodes_key)) do
    local lease_until = read_node(node)
    if tonumber(lease_until) <= now then
      over[#over + 1] = node
    end
  end
  -- In the same order whatever the order of a table is.
  table.sort(over)
  for _, node in ipairs(over) do
    remove_node(node, by)
  end
end
