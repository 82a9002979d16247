-- Strings, tables, closures, metatables and floating point, for `rounds` rounds.
math.randomseed(20)

local function queens(n)
  local count, columns, up, down = 0, {}, {}, {}
  local function place(row)
    if row > n then count = count + 1 return end
    for column = 1, n do
      local a, b = row + column, row - column + n
      if not (columns[column] or up[a] or down[b]) then
        columns[column], up[a], down[b] = true, true, true
        place(row + 1)
        columns[column], up[a], down[b] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end

local function primes(limit)
  local composite, i = {}, 1
  return function()
    repeat i = i + 1 until not composite[i]
    if i > limit then return nil end
    for k = i * i, limit, i do composite[k] = true end
    return i
  end
end

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__tostring = function(v) return string.format("(%.14g, %.14g)", v.x, v.y) end

local function words(n)
  local seen, order = {}, {}
  for _ = 1, n do
    local word = string.char(97 + math.random(0, 5), 97 + math.random(0, 5), 97 + math.random(0, 3))
    if not seen[word] then seen[word] = 0 order[#order + 1] = word end
    seen[word] = seen[word] + 1
  end
  table.sort(order, function(a, b) return seen[a] > seen[b] or seen[a] == seen[b] and a < b end)
  return order[1] .. seen[order[1]] .. order[#order]:upper():rep(2, "-"):gsub("%-", "+")
end

for round = 1, rounds do
  local sum = 0
  for p in primes(3000) do sum = sum + p end
  local v = setmetatable({ x = 0.1, y = -round }, Vector)
  for i = 1, 500 do v = v + setmetatable({ x = math.sin(i), y = i / 3 }, Vector) end
  print(round, queens(6), sum, tostring(v), words(800))
end
