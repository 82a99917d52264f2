-- hookproof: claim, complete, release, extend, forget.
-- One string for each event, because SET writes the record and its expiry in one step:
--   C token(32) body hash(64) end of lease(14) fence     claimed
--   D token(32) body hash(64) fence                      done, until the key expires
--   F token(32) fence                                    free again; kept so that the fence rises
local REMEMBER = 86400000
local call, key, operation, token = redis.call, KEYS[1], ARGV[1], ARGV[2]

-- A claim outlives its lease, so that a late worker whom nobody has replaced can still settle.
if operation == 'claim' then
  local lease, body = tonumber(ARGV[3]), ARGV[4]
  local clock = call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local ends = string.format('%014.0f', now + lease)
  -- Most are of a delivery that nobody has seen.
  if call('SET', key, 'C' .. token .. body .. ends .. now, 'PX', lease + REMEMBER, 'NX') then return now end
  local record = call('GET', key)
  local state = string.sub(record, 1, 1)
  if state == 'D' then return string.sub(record, 34, 97) end
  local fence = now
  if state == 'C' then
    fence = tonumber(string.sub(record, 112))
    if string.sub(record, 2, 33) == token then
      body = string.sub(record, 34, 97)
    else
      local remaining = tonumber(string.sub(record, 98, 111)) - now
      if remaining > 0 then return -remaining end
      fence = math.max(fence + 1, now)
    end
  elseif state == 'F' then
    fence = math.max(tonumber(string.sub(record, 34)) + 1, now)
  end
  call('SET', key, 'C' .. token .. body .. ends .. fence, 'PX', lease + REMEMBER)
  return fence
end

local record = call('GET', key)
local state, holder
if record then state, holder = string.sub(record, 1, 1), string.sub(record, 2, 33) end

if operation == 'forget' then
  if state ~= 'D' then return 0 end
  call('SET', key, 'F' .. holder .. string.sub(record, 98), 'PX', REMEMBER)
  return 1
end

if holder ~= token then return 0 end

if operation == 'complete' then
  if state == 'F' then return 0 end
  -- Done by this very token: the answer to the first try was lost.
  if state == 'C' then
    call('SET', key, 'D' .. token .. string.sub(record, 34, 97) .. string.sub(record, 112), 'PX', ARGV[3])
  end
  return 1
end

if operation == 'release' then
  if state == 'D' then return 0 end
  if state == 'C' then call('SET', key, 'F' .. token .. string.sub(record, 112), 'PX', REMEMBER) end
  return 1
end

if operation == 'extend' then
  if state ~= 'C' then return 0 end
  local lease = tonumber(ARGV[3])
  local clock = call('TIME')
  local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + lease
  local renewed = string.sub(record, 1, 97) .. string.format('%014.0f', ends) .. string.sub(record, 112)
  call('SET', key, renewed, 'PX', lease + REMEMBER)
  return 1
end

return redis.error_reply('hookproof: unknown operation')
