-- Strings: built, formatted, searched by patterns, replaced, counted.
local state = 7
local function random(n)
  state = (state * 16807) % 2147483647
  return state % n
end

local function word()
  local letters = {}
  for i = 1, 3 + random(5) do letters[i] = string.char(97 + random(6)) end
  return table.concat(letters)
end

local counts, kinds, total = {}, 0, 0
for round = 1, size do
  local words = {}
  for i = 1, 60 do words[i] = word() end
  local line = table.concat(words, " ") .. string.format(" %05d %x %.3f", round, round * 31, round / 7)
  for found in line:gmatch("%a+") do
    if not counts[found] then counts[found] = 0 kinds = kinds + 1 end
    counts[found] = counts[found] + 1
  end
  local changed, times = line:gsub("[aeiou]([bcd])", "<%1>")
  local at = changed:find("<d>", 1, true) or 0
  total = (total + times * 7 + at + #changed:upper():reverse() + changed:byte(#changed // 2)) % 1000003
end
print(kinds, total)
