#include "services/common/storage/redis_keys.h"

#include <charconv>

namespace peiling::storage {
namespace {

// An empty tag, or one with a closing brace, is none for Redis.
std::string Tag(const std::string& partition) {
  if (partition.empty()) return "{%}";
  std::string tag = "{";
  for (const char c : partition) {
    if (c == '%') {
      tag += "%25";
    } else if (c == '}') {
      tag += "%7D";
    } else {
      tag.push_back(c);
    }
  }
  return tag + "}";
}

std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const size_t digits = static_cast<size_t>(end - text.data());
  if (error != std::errc() || digits == text.size() || *end != ' ') return std::nullopt;
  text = text.substr(digits + 1);
  return number;
}

}  // namespace

RedisKeys::RedisKeys(const std::string& name, const std::string& partition) {
  const std::string base = name + ":" + Tag(partition);
  data = base + ":data";
  index = base + ":index";
  feed = base + ":feed";
  slot = RedisSlot(data);
}

std::string RedisPartitionList(const std::string& name) { return name + ":partitions"; }

int RedisSlot(std::string_view key) {
  if (const size_t open = key.find('{'); open != std::string_view::npos) {
    const size_t close = key.find('}', open);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  uint16_t crc = 0;
  for (const char c : key) {
    crc = static_cast<uint16_t>(crc ^ (static_cast<unsigned char>(c) << 8));
    for (int bit = 0; bit < 8; ++bit) crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
  }
  return crc % kRedisSlots;
}

std::string PackDocument(const SavedDocument& document) {
  std::string packed = std::to_string(document.version) + " " + std::to_string(document.sequence) + (document.value ? " +" : " -");
  if (document.value) packed += *document.value;
  return packed;
}

std::optional<SavedDocument> UnpackDocument(std::string_view key, std::string_view packed) {
  const auto version = TakeNumber(packed);
  const auto sequence = version ? TakeNumber(packed) : std::nullopt;
  if (!sequence || packed.empty() || (packed[0] != '+' && packed != "-")) return std::nullopt;
  SavedDocument document{std::string(key), std::nullopt, *version, *sequence};
  if (packed[0] == '+') document.value = packed.substr(1);
  return document;
}

RedisRange IndexRange(std::string_view sign, const std::string& prefix, const std::string& after) {
  const std::string first = std::string(sign) + prefix;
  const std::string from = std::string(sign) + after;
  // The least string beyond all that begin with it. The sign is no 0xff, so there is one.
  std::string end = first;
  while (end.back() == '\xff') end.pop_back();
  ++end.back();
  return {!after.empty() && from >= first ? "(" + from : "[" + first, "(" + end};
}

}  // namespace peiling::storage
