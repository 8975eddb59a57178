-- A node tells the others something. ARGV: the node, its connection, what it tells.
local node, connection = ARGV[1], ARGV[2]
local lease_until, _, known_connection = read_node(node)
if lease_until and known_connection == connection then
  for i = 3, #ARGV do
    push(node .. '-0', '-', 'N', '-', '-', ARGV[i])
  end
end
return 'OK'
