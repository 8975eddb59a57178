-- A node is about to end. ARGV: the node, its connection.
local node, connection = unpack(ARGV)
local lease_until, _, known_connection = read_node(node)
if lease_until and known_connection == connection then
  remove_node(node, node)
end
return 'OK'
