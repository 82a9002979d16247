-- Calls: Fibonacci numbers, and a closure that counts.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function counter(step)
  local count = 0
  return function() count = count + step return count end
end

local count, last = counter(3), 0
for _ = 1, 1000 do last = count() end
print(fib(size), last)
