-- How a node stands, where nothing can be written. ARGV: the node.
if not read_node(ARGV[1]) then
  return { 'G' }
end
local last = last_entry()
return { 'Y', redis.call('HGET', meta_key, 'generation'), last, redis.call('HLEN', nodes_key) }
