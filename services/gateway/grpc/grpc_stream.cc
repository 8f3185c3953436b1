#include "services/gateway/grpc/grpc_stream.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using std::chrono::steady_clock;
using Message = std::optional<grpc::ByteBuffer>;

// Before each message: whether it is compressed, and its length.
constexpr size_t kPrefixBytes = 5;
// What HTTP/2 counts for a header beside its bytes.
constexpr int64_t kHeaderBytes = 32;
// Messages of calls that anybody may make.
constexpr int64_t kMostOpenBytes = 4 << 10;

nghttp2_nv ToField(const std::string& name, const std::string& value) {
  // nghttp2 takes copies.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// Calls `use` with the headers as nghttp2 wants them.
template <typename Use>
void WithFields(const Headers& headers, Use use) {
  Headers encoded;
  encoded.reserve(headers.size());
  std::vector<nghttp2_nv> fields;
  fields.reserve(headers.size());
  for (const auto& [name, value] : headers) {
    if (!IsBinary(name)) {
      fields.push_back(ToField(name, value));
      continue;
    }
    encoded.emplace_back(name, EncodeBinary(value));
    fields.push_back(ToField(encoded.back().first, encoded.back().second));
  }
  use(fields.data(), fields.size());
}

// What follows the prefix, as a message, without a copy.
grpc::ByteBuffer ToMessage(std::string bytes) {
  auto* const owned = new std::string(std::move(bytes));
  const auto drop = [](void* string) { delete static_cast<std::string*>(string); };
  const grpc::Slice slice(owned->data() + kPrefixBytes, owned->size() - kPrefixBytes, drop, owned);
  return {&slice, 1};
}

// With a reason, or it would be taken for a fault of this side.
absl::Status PartOfMessage() {
  return status::Error(absl::StatusCode::kInternal, "MESSAGE_INCOMPLETE", "the client has sent part of a message");
}

// With what the messages are written in, or without.
bool IsGrpc(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (!content_type.starts_with(kType)) return false;
  content_type.remove_prefix(kType.size());
  return content_type.empty() || content_type[0] == '+' || content_type[0] == ';';
}

// What nghttp2 lets through and gRPC does not would end the process in gRPC's client.
bool IsLegal(std::string_view name, std::string_view value) {
  const auto slice = [](std::string_view text) { return grpc_slice_from_static_buffer(text.data(), text.size()); };
  return grpc_header_key_is_legal(slice(name)) != 0 && (IsBinary(name) || grpc_header_nonbin_value_is_legal(slice(value)) != 0);
}

}  // namespace

void GrpcStream::Dispatch(std::function<void()> work) { connection_->transport().Dispatch(std::move(work)); }

bool GrpcStream::AddHeader(std::string_view name, std::string_view value) {
  const auto bytes = static_cast<int64_t>(name.size() + value.size()) + kHeaderBytes;
  head_bytes_ += bytes;
  const int64_t most = connection_->shared().limits.max_metadata_bytes;
  if (head_bytes_ > most) return head_bytes_ <= 4 * most;
  Hold(bytes);
  if (name == ":path") {
    head_.method = value;
  } else if (name == ":method") {
    verb_ = value;
  } else if (name == "content-type") {
    content_type_ = value;
  } else if (name == "grpc-encoding") {
    encoding_ = value;
  } else if (name == "grpc-timeout") {
    timeout_ = value;
  } else if (name.starts_with(":") || name.starts_with("grpc-")) {
    // HTTP/2's and gRPC's own.
  } else if (!AddMetadata(name, value)) {
    malformed_ = true;
  }
  return true;
}

bool GrpcStream::AddMetadata(std::string_view name, std::string_view value) {
  if (!IsLegal(name, value)) return false;
  if (!IsBinary(name)) {
    head_.metadata.emplace_back(name, value);
    return true;
  }
  auto values = DecodeBinary(value);
  if (!values) return false;
  for (std::string& one : *values) head_.metadata.emplace_back(name, std::move(one));
  return true;
}

void GrpcStream::OnHead(const GrpcShared& shared) {
  arrived_ = true;
  // First: of what was too much nothing is known.
  if (head_bytes_ > shared.limits.max_metadata_bytes) {
    return RefuseHead(absl::StatusCode::kResourceExhausted, "METADATA_TOO_LARGE",
                      absl::StrCat("the metadata is too large: ", head_bytes_, " bytes, want at most ", shared.limits.max_metadata_bytes));
  }
  if (verb_ != "POST") return RefuseHttp("405");
  if (!IsGrpc(content_type_)) return RefuseHttp("415");
  if (!encoding_.empty() && encoding_ != "identity") {
    return RefuseHead(absl::StatusCode::kUnimplemented, "COMPRESSION_UNSUPPORTED",
                      absl::StrCat("compressed messages (", encoding_, ") are not taken; send them as they are"));
  }
  if (malformed_)
    return RefuseHead(absl::StatusCode::kInternal, "METADATA_INVALID",
                      "the metadata is none: a name or value that gRPC does not allow, or binary that is not base64");
  if (!timeout_.empty()) {
    head_.timeout = ParseTimeout(timeout_);
    if (!head_.timeout)
      return RefuseHead(absl::StatusCode::kInternal, "TIMEOUT_INVALID", "grpc-timeout is none; want digits and a unit, 500m");
  }
  head_.peer = connection_->transport().peer();
  head_.certificate = connection_->transport().certificate();
  head_.arrived = begun_;
  connection_->CountCall(1);
  counted_ = true;
  shared.handler(shared_from_this());
}

void GrpcStream::MakeOpen() {
  open_ = true;
  max_message_bytes_ = std::min(max_message_bytes_, kMostOpenBytes);
  if (std::exchange(counted_, false)) connection_->CountCall(-1);
}

void GrpcStream::RefuseHead(absl::StatusCode code, const std::string& reason, const std::string& why) {
  Finish(status::ToGrpc(status::Error(code, reason, why)), {}, nullptr);
}

void GrpcStream::RefuseHttp(const char* status) {
  if (std::exchange(headers_sent_, true)) return;
  trailers_.emplace();
  write_since_ = steady_clock::now();
  WithFields({{":status", status}},
             [this](nghttp2_nv* fields, size_t count) { nghttp2_submit_response(connection_->http2(), id_, fields, count, nullptr); });
  connection_->FlushLater();
}

void GrpcStream::OnData(std::string_view bytes) {
  unconsumed_ += bytes.size();
  // What nobody will read.
  if (closed_ || trailers_) return Consume();
  in_.append(bytes);
  Hold(static_cast<int64_t>(bytes.size()));
  Deliver();
}

void GrpcStream::Hold(int64_t bytes) {
  held_ += bytes;
  connection_->Hold(bytes);
}

void GrpcStream::Consume(size_t kept) {
  if (unconsumed_ <= kept) return;
  nghttp2_session_consume(connection_->http2(), id_, std::exchange(unconsumed_, kept) - kept);
  connection_->FlushLater();
}

std::optional<absl::StatusOr<Message>> GrpcStream::Next() {
  const size_t there = in_.size() - in_begin_;
  if (there < kPrefixBytes) {
    if (!ended_) return std::nullopt;
    if (there == 0) return Message();
    return PartOfMessage();
  }
  const auto* const prefix = reinterpret_cast<const uint8_t*>(in_.data()) + in_begin_;
  const int64_t size = int64_t{prefix[1]} << 24 | prefix[2] << 16 | prefix[3] << 8 | prefix[4];
  if (size > max_message_bytes_) {
    return status::Error(absl::StatusCode::kResourceExhausted, "MESSAGE_TOO_LARGE",
                         absl::StrCat("Received message larger than max (", size, " vs. ", max_message_bytes_, ")"));
  }
  if (prefix[0] != 0)
    return status::Error(absl::StatusCode::kUnimplemented, "COMPRESSION_UNSUPPORTED",
                         "compressed messages are not taken; send them as they are");
  const size_t whole = kPrefixBytes + static_cast<size_t>(size);
  if (there < whole) {
    if (!ended_) return std::nullopt;
    return PartOfMessage();
  }
  Hold(-static_cast<int64_t>(whole));
  return ToMessage(Take(whole));
}

std::string GrpcStream::Take(size_t size) {
  // Mostly there is nothing else.
  if (in_begin_ == 0 && in_.size() == size) return std::exchange(in_, {});
  std::string taken = in_.substr(in_begin_, size);
  in_begin_ += size;
  if (in_begin_ < in_.size() / 2) return taken;
  in_.erase(0, std::exchange(in_begin_, 0));
  if (in_.empty()) in_ = {};
  return taken;
}

void GrpcStream::Deliver() {
  if (closed_ || !read_done_) return;
  auto next = Next();
  // Of what is not read yet the client has to wait, unless it is part of what is waited for.
  Consume(next ? in_.size() - in_begin_ : 0);
  if (next) std::exchange(read_done_, nullptr)(*std::move(next));
}

void GrpcStream::SendHeaders(const Headers& headers) {
  if (closed_ || std::exchange(headers_sent_, true)) return;
  Headers all = {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity"}};
  all.insert(all.end(), headers.begin(), headers.end());
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t* flags, nghttp2_data_source* source, void*) {
    return static_cast<GrpcStream*>(source->ptr)->Fill(to, size, flags);
  };
  WithFields(all, [&](nghttp2_nv* fields, size_t count) { nghttp2_submit_response(connection_->http2(), id_, fields, count, &provider); });
  connection_->FlushLater();
}

void GrpcStream::Resume() {
  nghttp2_session_resume_data(connection_->http2(), id_);
  connection_->FlushLater();
}

void GrpcStream::Write(const grpc::ByteBuffer& message, std::function<void()> done) {
  if (closed_ || trailers_) return;
  SendHeaders({});
  std::vector<grpc::Slice> slices;
  // Fails of messages that were never set, which are empty.
  static_cast<void>(message.Dump(&slices));
  const uint32_t size = static_cast<uint32_t>(message.Length());
  const std::array<char, kPrefixBytes> prefix = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                                                 static_cast<char>(size >> 8), static_cast<char>(size)};
  out_.clear();
  out_.emplace_back(prefix.data(), prefix.size());
  out_.insert(out_.end(), slices.begin(), slices.end());
  sent_slices_ = sent_bytes_ = 0;
  write_done_ = std::move(done);
  write_since_ = steady_clock::now();
  write_bytes_ = size;
  Resume();
}

void GrpcStream::Finish(const grpc::Status& status, const Headers& trailers, std::function<void()> over) {
  if (closed_ || trailers_) {
    if (over) over();
    return;
  }
  SendHeaders({});
  gone_ = nullptr;
  overdue_ = nullptr;
  read_done_ = nullptr;
  over_ = std::move(over);
  write_since_ = steady_clock::now();
  trailers_ = TrailersOf(status);
  trailers_->insert(trailers_->end(), trailers.begin(), trailers.end());
  Forget();
  Consume();
  Resume();
}

void GrpcStream::Reset() {
  if (closed_ || std::exchange(reset_, true)) return;
  nghttp2_submit_rst_stream(connection_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  connection_->FlushLater();
}

ssize_t GrpcStream::Fill(uint8_t* to, size_t size, uint32_t* flags) {
  size_t filled = 0;
  while (HasToSend() && filled < size) {
    const grpc::Slice& slice = out_[sent_slices_];
    const size_t part = std::min(size - filled, slice.size() - sent_bytes_);
    std::memcpy(to + filled, slice.begin() + sent_bytes_, part);
    filled += part;
    sent_bytes_ += part;
    if (sent_bytes_ < slice.size()) break;
    ++sent_slices_;
    sent_bytes_ = 0;
  }
  if (HasToSend()) return static_cast<ssize_t>(filled);
  // Once: nghttp2 asks again before anybody hears of it.
  if (!std::exchange(out_, {}).empty() && write_done_) connection_->AddWritten(shared_from_this());
  sent_slices_ = 0;
  if (!trailers_ && filled == 0) return NGHTTP2_ERR_DEFERRED;
  if (!trailers_) return static_cast<ssize_t>(filled);
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  WithFields(*trailers_, [this](nghttp2_nv* fields, size_t count) { nghttp2_submit_trailer(connection_->http2(), id_, fields, count); });
  return static_cast<ssize_t>(filled);
}

void GrpcStream::OnTrailersSent() {
  // The client need not say the rest of what it wants to. Told before the trailers were on their way, it would take it for an error.
  if (!ended_) nghttp2_submit_rst_stream(connection_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

void GrpcStream::OnHeadersNotSent() { nghttp2_submit_rst_stream(connection_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR); }

bool GrpcStream::OnTick(steady_clock::time_point now, const GrpcLimits& limits) {
  if (!arrived_) return now - begun_ <= limits.preface_time;
  Check(now, limits);
  return true;
}

void GrpcStream::Check(steady_clock::time_point now, const GrpcLimits& limits) {
  const bool takes_long = now - write_since_ > limits.patience + std::chrono::seconds(write_bytes_ / limits.least_bytes_per_second);
  // It does not even take how the call ended.
  if (trailers_ && takes_long) return Reset();
  if (trailers_ || !overdue_) return;
  const bool writing = write_done_ && takes_long;
  const bool late = head_.timeout && now - begun_ > *head_.timeout;
  const auto patience = open_ ? std::min(limits.patience, limits.open_patience) : limits.patience;
  if (!writing && !(read_done_ && (late || now - read_since_ > patience))) return;
  const auto overdue = overdue_;
  overdue(writing);
}

void GrpcStream::Close() {
  if (std::exchange(closed_, true)) return;
  if (std::exchange(counted_, false)) connection_->CountCall(-1);
  Forget();
  Hold(-held_);
  // Its window is gone, but that of the connection is for others.
  nghttp2_session_consume_connection(connection_->http2(), std::exchange(unconsumed_, 0));
  connection_->FlushLater();
  read_done_ = nullptr;
  write_done_ = nullptr;
  overdue_ = nullptr;
  const auto gone = std::exchange(gone_, nullptr);
  const auto over = std::exchange(over_, nullptr);
  if (gone) gone();
  if (over) over();
}

}  // namespace peiling::gateway
