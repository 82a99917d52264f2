-- hookproof: claim, complete, release, extend, forget.
-- One string for each event, because SET writes the record and its expiry in one step:
--   C token(32) body hash(64) end of lease(14) fence     claimed
--   D token(32) body hash(64) fence                      done, until the key expires
--   F token(32) fence                                    free again; kept so that the fence rises
local REMEMBER = 86400000
local operation, token = ARGV[1], ARGV[2]
local record = redis.call('GET', KEYS[1])
local state = record and string.sub(record, 1, 1)
local holder = record and string.sub(record, 2, 33)

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function put(value, ms)
  redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', ms))
end

local function claimed(body, ends, lease, fence)
  -- Outlives its lease, so that a late worker whom nobody has replaced can still settle.
  put('C' .. token .. body .. string.format('%014.0f', ends) .. fence, lease + REMEMBER)
end

if operation == 'claim' then
  local lease, body = tonumber(ARGV[3]), ARGV[4]
  if state == 'D' then return {2, string.sub(record, 34, 97)} end
  local time = now()
  local fence = 0
  if state == 'C' then
    fence = tonumber(string.sub(record, 112))
    if holder == token then
      claimed(string.sub(record, 34, 97), time + lease, lease, string.sub(record, 112))
      return {1, fence}
    end
    local remaining = tonumber(string.sub(record, 98, 111)) - time
    if remaining > 0 then return {0, remaining} end
  elseif state == 'F' then
    fence = tonumber(string.sub(record, 34))
  end
  fence = math.max(fence + 1, time)
  claimed(body, time + lease, lease, string.format('%.0f', fence))
  return {1, fence}
end

if operation == 'forget' then
  if state ~= 'D' then return 0 end
  put('F' .. holder .. string.sub(record, 98), REMEMBER)
  return 1
end

if holder ~= token then return 0 end

if operation == 'complete' then
  if state == 'C' then
    put('D' .. token .. string.sub(record, 34, 97) .. string.sub(record, 112), tonumber(ARGV[3]))
  end
  -- Done by this very token: the answer to the first try was lost.
  if state == 'F' then return 0 end
  return 1
end

if operation == 'release' then
  if state == 'C' then put('F' .. token .. string.sub(record, 112), REMEMBER) end
  if state == 'D' then return 0 end
  return 1
end

if operation == 'extend' then
  if state ~= 'C' then return 0 end
  local lease = tonumber(ARGV[3])
  claimed(string.sub(record, 34, 97), now() + lease, lease, string.sub(record, 112))
  return 1
end

return redis.error_reply('hookproof: unknown operation')
