-- An account is changed by somebody who is no node, and so has no lease and keeps nobody waiting. ARGV: the format of the
-- log, by which number the changes of this one are known, then a change as `append_arguments` gives it. Answers F and the
-- log's format, N, O or A.
local format, by = ARGV[1], ARGV[2]
if meta.format and meta.format ~= format then
  return { 'F', meta.format }
end
if not settle(format, now_ms(), by, '', '') then
  return { 'N' }
end
local change = read_change(3)
if change.accounts ~= (meta.accounts_version or '') then
  return { 'O' }
end
append_of_account(change, by .. '-' .. change.number)
return { 'A' }
