-- Tables: filled, sorted with and without a function, binary heap, removed from.
local state = 42
local function random(n)
  state = (state * 16807) % 2147483647
  return state % n
end

local function heap_push(heap, value)
  local at = #heap + 1
  heap[at] = value
  while at > 1 and heap[at // 2] > heap[at] do
    heap[at], heap[at // 2] = heap[at // 2], heap[at]
    at = at // 2
  end
end

local function heap_pop(heap)
  local least, n = heap[1], #heap
  heap[1], heap[n] = heap[n], nil
  local at = 1
  while at * 2 < n do
    local child = at * 2
    if child + 1 < n and heap[child + 1] < heap[child] then child = child + 1 end
    if heap[at] <= heap[child] then break end
    heap[at], heap[child] = heap[child], heap[at]
    at = child
  end
  return least
end

local sum = 0
for round = 1, 5 do
  local numbers, records, heap = {}, {}, {}
  for i = 1, size do
    numbers[i] = random(size * 4)
    records[i] = { key = random(1000), name = "r" .. random(size) }
    heap_push(heap, numbers[i])
  end
  table.sort(numbers)
  table.sort(records, function(a, b) return a.key < b.key or a.key == b.key and a.name < b.name end)
  for i = 1, size do
    assert(heap_pop(heap) == numbers[i])
    sum = (sum * 31 + numbers[i] + records[i].key) % 1000000007
  end
end
print(sum)
