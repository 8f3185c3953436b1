#include "services/gateway/http/gzip.h"

#include <zlib.h>

namespace peiling::gateway {
namespace {

constexpr int kLeastEffort = 1;
// The largest window, and gzip's header instead of zlib's.
constexpr int kGzipWindow = 15 + 16;
constexpr int kMemory = 8;

}  // namespace

std::string Gzip(std::string_view bytes) {
  z_stream stream{};
  deflateInit2(&stream, kLeastEffort, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY);
  std::string compressed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  deflate(&stream, Z_FINISH);
  compressed.resize(stream.total_out);
  deflateEnd(&stream);
  return compressed;
}

}  // namespace peiling::gateway
