-- All but the rooms themselves.
local meta = read_fields(meta_key)
local last, last_by = last_entry()
return {
  meta.server or '', meta.generation or '', meta.accounts_version or '', last, last_by,
  redis.call('HGETALL', key('accounts')), redis.call('HKEYS', nodes_key), redis.call('HGETALL', rooms_key),
  redis.call('LRANGE', key('account_tail'), 0, -1), meta.history or '0',
}
