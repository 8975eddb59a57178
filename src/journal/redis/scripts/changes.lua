-- Changes as `append_arguments` gives them, and those of accounts.
local ARGUMENTS = 12
local ACCOUNT_CHANGES = 1024

-- All that is said of the change in one place; `has` tells of its letters.
local function read_change(at)
  local change = {
    number = ARGV[at], code = ARGV[at + 1], epoch = ARGV[at + 2], version = ARGV[at + 3], accounts = ARGV[at + 4],
    letters = ARGV[at + 5], of = ARGV[at + 6], field = ARGV[at + 7], time = ARGV[at + 8], account = ARGV[at + 9],
    kept = ARGV[at + 10], payload = ARGV[at + 11],
  }
  function change.has(letter)
    return string.find(change.letters, letter, 1, true) ~= nil
  end
  return change
end

local function log_change(change, by, event_id)
  local letters = change.letters == '' and '-' or change.letters
  local code = change.code == '' and '-' or change.code
  local epoch = change.epoch == '' and '-' or change.epoch
  return push(by, event_id, letters, code, epoch, change.payload)
end

-- Changes of accounts that every room has in its snapshot, or that are older than the room, concern nobody any more. That
-- is looked for each time so many have come.
local function trim_account_tail()
  local tail = key('account_tail')
  if redis.call('LLEN', tail) % ACCOUNT_CHANGES ~= 0 then
    return
  end
  local done = last_entry()
  for _, epoch in ipairs(redis.call('HVALS', rooms_key)) do
    local behind = redis.call('HGET', key('room:' .. epoch), 'snapshot_position')
    if behind and is_before(behind, done) then
      done = behind
    end
  end
  local first = redis.call('LINDEX', tail, 0)
  while first and not is_before(done, string.match(first, '^%S+')) do
    redis.call('LPOP', tail)
    first = redis.call('LINDEX', tail, 0)
  end
end

local function append_of_account(change, by)
  local position = log_change(change, by, '-')
  if change.account ~= '' then
    -- Whose passwords those are is not told here: only who bears a name counts.
    local head = string.match(change.payload, '^[^\n]*')
    redis.call('RPUSH', key('account_tail'), position .. ' ' .. by .. ' -\n' .. head .. '\n\n')
    trim_account_tail()
    local accounts = key('accounts')
    if change.kept == '' then
      redis.call('HDEL', accounts, change.account)
    elseif string.sub(change.kept, 1, 1) ~= '\n' then
      redis.call('HSET', accounts, change.account, change.kept)
    else
      -- The name stays.
      local known = redis.call('HGET', accounts, change.account)
      if known then
        redis.call('HSET', accounts, change.account, string.match(known, '^[^\n]*') .. change.kept)
      end
    end
  end
  redis.call('HSET', meta_key, 'accounts_version', by)
end
