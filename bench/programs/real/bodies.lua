-- Floating point in tables: five bodies that attract each other.
local bodies = {}
for i = 1, 5 do
  bodies[i] = { x = i * 7 % 11 - 5, y = i * 5 % 9 - 4, z = i * 3 % 7 - 3, vx = 0.1 * i, vy = -0.05 * i, vz = 0.02, mass = 1 / i }
end

local function advance(dt)
  for i = 1, #bodies do
    local a = bodies[i]
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz + 0.01
      local pull = dt / (square * math.sqrt(square))
      a.vx, a.vy, a.vz = a.vx - dx * b.mass * pull, a.vy - dy * b.mass * pull, a.vz - dz * b.mass * pull
      b.vx, b.vy, b.vz = b.vx + dx * a.mass * pull, b.vy + dy * a.mass * pull, b.vz + dz * a.mass * pull
    end
  end
  for _, body in ipairs(bodies) do
    body.x, body.y, body.z = body.x + dt * body.vx, body.y + dt * body.vy, body.z + dt * body.vz
  end
end

for _ = 1, size do advance(0.001) end
print(string.format("%.6f %.6f", bodies[1].x, bodies[5].y))
