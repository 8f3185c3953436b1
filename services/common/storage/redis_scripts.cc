#include "services/common/storage/redis_scripts.h"

#include <openssl/sha.h>

namespace peiling::storage {
namespace {

std::string Sha1Hex(const std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

// The first line makes Redis look before the script runs whether it may write (memory, disk, role, replicas): it runs as a whole or not at
// all.
constexpr char kCommit[] = R"(#!lua
local data, index, feed = KEYS[1], KEYS[2], KEYS[3]
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
-- The version of a document that is there, and that of one that may be deleted; nil when there was none.
local function versions(key)
  local packed = redis.call('HGET', data, 'd' .. key)
  if not packed then return 0, nil end
  local version, sign = string.match(packed, '^(%d+) %d+ ([+-])')
  version = tonumber(version)
  return sign == '+' and version or 0, version
end

local at_once = take() == '1'
for _ = 1, tonumber(take()) do
  local key, expected = take(), tonumber(take())
  if versions(key) ~= expected then return {0} end
end
local writes = {}
local puts = false
for n = 1, tonumber(take()) do
  local key, expected, sign, value, event = take(), take(), take(), take(), tonumber(take())
  local live, version = versions(key)
  if expected ~= '' and live ~= tonumber(expected) then return {0} end
  puts = puts or sign == '+'
  writes[n] = {key = key, sign = sign, value = value, event = event, live = live ~= 0, version = version}
end

local last = redis.call('HGET', data, '#last')
local events = #ARGV - at
if not last then
  if not puts and events == 0 then return {1, 0, 0} end
  redis.call('ZADD', index, 0, '')
  redis.call('XGROUP', 'CREATE', feed, 'x', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', feed, 'x')
  redis.call('HSET', data, '#last', '0')
end
last = tonumber(last or '0')
local first = last + 1
for _, write in ipairs(writes) do
  local key = write.key
  if write.sign == '+' then
    local sequence = write.event > 0 and last + write.event or 0
    local header = string.format('%.0f %.0f +', (write.version or 0) + 1, sequence)
    redis.call('HSET', data, 'd' .. key, header .. write.value)
    if not write.live then
      redis.call('ZADD', index, 0, '+' .. key)
      if write.version then redis.call('ZREM', index, '-' .. key) end
    end
  elseif write.version then
    redis.call('HSET', data, 'd' .. key, string.format('%.0f 0 -', write.version))
    if write.live then
      redis.call('ZREM', index, '+' .. key)
      redis.call('ZADD', index, 0, '-' .. key)
    end
  end
end
if events == 0 then return {1, 0, last} end
for _ = 1, events do
  last = last + 1
  redis.call('XADD', feed, string.format('%.0f-0', last), 'e', take())
end
local text = string.format('%.0f', last)
if at_once then
  redis.call('HSET', data, '#last', text, '#durable', text)
else
  redis.call('HSET', data, '#last', text)
end
return {1, first, last}
)";

constexpr char kRestore[] = R"(#!lua
local data, index, feed = KEYS[1], KEYS[2], KEYS[3]
local begun = redis.call('HGET', data, '#last')
local last = tonumber(begun or '0')
local missing = {}
local documents = tonumber(ARGV[1])
for n = 2, 2 * documents, 2 do
  local key, packed = ARGV[n], ARGV[n + 1]
  local stands = redis.call('HGET', data, 'd' .. key)
  if not stands then
    missing[#missing + 1] = n
  elseif stands ~= packed then
    return {0, 'document', key}
  end
end
local events = 2 * documents + 2
local follows = last
for n = events, #ARGV, 2 do
  local sequence, value = tonumber(ARGV[n]), ARGV[n + 1]
  if sequence == follows + 1 then
    follows = sequence
  else
    local id = ARGV[n] .. '-0'
    local stands = sequence > 0 and sequence <= last and redis.call('XRANGE', feed, id, id)[1]
    if not stands or stands[2][2] ~= value then return {0, 'event', ARGV[n]} end
  end
end

if #missing == 0 and follows == last then return {1, last} end
if not begun then
  redis.call('ZADD', index, 0, '')
  redis.call('XGROUP', 'CREATE', feed, 'x', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', feed, 'x')
end
for _, n in ipairs(missing) do
  local key, packed = ARGV[n], ARGV[n + 1]
  redis.call('HSET', data, 'd' .. key, packed)
  redis.call('ZADD', index, 0, string.match(packed, '^%d+ %d+ ([+-])') .. key)
end
for n = events, #ARGV, 2 do
  if tonumber(ARGV[n]) > last then redis.call('XADD', feed, ARGV[n] .. '-0', 'e', ARGV[n + 1]) end
end
redis.call('HSET', data, '#last', string.format('%.0f', follows))
return {1, follows}
)";

// The next two go on when the memory is full: they make nothing larger.
constexpr char kTouch[] = R"(#!lua flags=allow-oom
local last = redis.call('HGET', KEYS[1], '#last')
if not last then return 0 end
redis.call('HSET', KEYS[1], '#last', last)
return tonumber(last)
)";

constexpr char kAdvance[] = R"(#!lua flags=allow-oom
local last = tonumber(redis.call('HGET', KEYS[1], '#last') or '0')
local durable = tonumber(redis.call('HGET', KEYS[1], '#durable') or '0')
local reached = math.min(tonumber(ARGV[1]), last)
if reached > durable then redis.call('HSET', KEYS[1], '#durable', string.format('%.0f', reached)) end
return 1
)";

constexpr char kEnlist[] = R"(#!lua
return redis.call('ZADD', KEYS[1], 0, ARGV[1])
)";

constexpr char kList[] = R"(#!lua flags=no-writes
local limit, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local pages = {}
for range = 3, #ARGV, 2 do
  local members = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[range], ARGV[range + 1], 'LIMIT', 0, limit)
  local page = {#members < limit and 1 or 0}
  local bytes = 0
  for n, member in ipairs(members) do
    if bytes >= room then
      page[1] = 0
      break
    end
    local packed = redis.call('HGET', KEYS[1], 'd' .. string.sub(member, 2))
    page[2 * n] = member
    page[2 * n + 1] = packed
    bytes = bytes + #member + #packed
  end
  pages[#pages + 1] = page
end
return pages
)";

constexpr char kFeed[] = R"(#!lua flags=no-writes
local after, limit, room = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local last = tonumber(redis.call('HGET', KEYS[1], '#last') or '0')
local durable = tonumber(redis.call('HGET', KEYS[1], '#durable') or '0')
local visible = ARGV[2] == 'inf' and last or math.min(last, math.max(durable, tonumber(ARGV[2])))
local result = {last, durable}
local to = math.min(visible, after + limit)
local bytes = 0
while after < to and bytes < room do
  -- Few at a time: they may be large.
  local upto = math.min(after + 16, to)
  local entries = redis.call('XRANGE', KEYS[2], string.format('%.0f-0', after + 1), string.format('%.0f-0', upto))
  if #entries ~= upto - after then return redis.error_reply('CORRUPT events are missing from a feed') end
  for _, entry in ipairs(entries) do
    if bytes >= room then break end
    local value = entry[2][2]
    result[#result + 1] = value
    bytes = bytes + #value
  end
  after = upto
end
return result
)";

}  // namespace

RedisScript::RedisScript(const char* text) : source(text), sha(Sha1Hex(source)) {}

const RedisScript& CommitScript() {
  static const RedisScript script(kCommit);
  return script;
}
const RedisScript& RestoreScript() {
  static const RedisScript script(kRestore);
  return script;
}
const RedisScript& TouchScript() {
  static const RedisScript script(kTouch);
  return script;
}
const RedisScript& AdvanceScript() {
  static const RedisScript script(kAdvance);
  return script;
}
const RedisScript& EnlistScript() {
  static const RedisScript script(kEnlist);
  return script;
}
const RedisScript& ListScript() {
  static const RedisScript script(kList);
  return script;
}
const RedisScript& FeedScript() {
  static const RedisScript script(kFeed);
  return script;
}

}  // namespace peiling::storage
