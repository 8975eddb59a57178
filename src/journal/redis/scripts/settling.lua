-- By whom the log is kept, and whether it is settled what is in it.
local meta = read_fields(meta_key)
local replication = redis.call('INFO', 'replication')
local server = string.match(replication, 'master_replid:(%x+)')

-- What may not continue what somebody has seen goes on under other epochs. By the time, so that one that another server
-- has begun, and that was lost with it, does not come again.
local function begin_generation(now)
  local generation = digits(math.max(tonumber(meta.generation) + 1, now))
  meta.generation, meta.since = generation, digits(now)
  redis.call('HSET', meta_key, 'generation', generation, 'since', meta.since)
  for code, epoch in pairs(read_fields(rooms_key)) do
    local other = string.sub(redis.sha1hex(epoch .. '/' .. generation), 1, 16)
    for _, kind in ipairs({ 'room:', 'tail:', 'events:', 'amends:', 'keys:' }) do
      if redis.call('EXISTS', key(kind .. epoch)) == 1 then
        redis.call('RENAME', key(kind .. epoch), key(kind .. other))
      end
    end
    local former = redis.call('HGET', key('room:' .. other), 'former')
    redis.call('HSET', key('room:' .. other), 'former', former and former .. ' ' .. epoch or epoch)
    redis.call('HSET', rooms_key, code, other)
  end
end

-- Whether somebody has seen what is not here. What was seen before this generation began was lost then.
local function has_lost(seen, seen_by)
  if seen == '' or tonumber(string.match(seen, '^%d+')) < tonumber(meta.since) then
    return false
  end
  if meta.trimmed and not is_before(meta.trimmed, seen) then
    return false
  end
  local entry = redis.call('XRANGE', log, seen, seen)[1]
  return not entry or string.match(entry[2][2], '^%S+') ~= seen_by
end

-- Somebody comes to the log, and tells the last entry that it has seen and by whom that is (or empty). Returns whether the
-- log can be used: otherwise nodes have not told yet what they have seen.
local function settle(format, now, node, seen, seen_by)
  if not meta.server then
    meta.generation, meta.since = digits(now), digits(now)
    redis.call('HSET', meta_key, 'format', format, 'generation', meta.generation, 'since', meta.since)
  elseif meta.server ~= server then
    meta['until'], meta.lossy = digits(now + SETTLING_MS), nil
    redis.call('HSET', meta_key, 'until', meta['until'])
    redis.call('HDEL', meta_key, 'lossy')
    redis.call('DEL', waiting_key)
    for other, _ in pairs(read_fields(nodes_key)) do
      redis.call('SADD', waiting_key, other)
    end
  end
  redis.call('HSET', meta_key, 'server', server)

  local is_lost = has_lost(seen, seen_by)
  if meta['until'] then
    if is_lost then
      meta.lossy = '1'
      redis.call('HSET', meta_key, 'lossy', '1')
    end
    redis.call('SREM', waiting_key, node)
    local waiting = redis.call('SCARD', waiting_key)
    -- A clock that was set back has no say in how long it is waited.
    local until_ms = tonumber(meta['until'])
    if waiting == 0 or until_ms <= now or until_ms > now + SETTLING_MS then
      redis.call('HDEL', meta_key, 'until', 'lossy')
      redis.call('DEL', waiting_key)
      meta['until'] = nil
      if meta.lossy or waiting > 0 then
        begin_generation(now)
      end
      extend_leases(now)
    end
  elseif is_lost then
    begin_generation(now)
  end
  return not meta['until']
end
