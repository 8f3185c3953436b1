#include "services/gateway/grpc/grpc_session.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <nghttp2/nghttp2.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using std::chrono::steady_clock;
using Message = std::optional<grpc::ByteBuffer>;

// Read and written at once.
constexpr size_t kSmallRead = 4 << 10;
constexpr size_t kLargeRead = 32 << 10;
constexpr size_t kMostWritten = 128 << 10;
// What clients may have on its way on a connection, whatever the calls; of one call it is HTTP/2's default of 64 KiB.
constexpr int32_t kConnectionWindow = 1 << 20;
// Before each message: whether it is compressed, and its length.
constexpr size_t kPrefixBytes = 5;
// What HTTP/2 counts for a header beside its bytes.
constexpr int64_t kHeaderBytes = 32;

// Messages of calls that anybody may make.
constexpr int64_t kMostOpenBytes = 4 << 10;
// A connection holds more than its share of the memory for what is not read when it holds this part.
constexpr int64_t kSharesOfUnread = 16;
// Frames that wait until the client reads.
constexpr size_t kMostUntold = 1000;

constexpr auto kNever = steady_clock::time_point::max();

std::string_view ToView(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

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

class GrpcSession;

// A call, as a stream of the connection.
class Stream final : public RpcStream, public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<GrpcSession> session, int32_t id, int64_t max_message_bytes)
      : session_(std::move(session)), id_(id), max_message_bytes_(max_message_bytes) {}
  ~Stream() override { Hold(-held_); }

  // RpcStream.

  const RpcHead& head() const override { return head_; }
  void Dispatch(std::function<void()> work) override;
  void Read(std::function<void(absl::StatusOr<Message>)> done) override {
    if (closed_) return;
    read_done_ = std::move(done);
    read_since_ = steady_clock::now();
    Deliver();
  }
  void SendHeaders(const Headers& headers) override;
  void Write(const grpc::ByteBuffer& message, std::function<void()> done) override;
  void Finish(const grpc::Status& status, const Headers& trailers, std::function<void()> over) override;
  void Reset() override;
  void MakeOpen() override;
  void OnGone(std::function<void()> gone) override {
    if (!closed_) gone_ = std::move(gone);
  }
  void OnOverdue(std::function<void(bool)> overdue) override {
    if (!closed_) overdue_ = std::move(overdue);
  }

  // For the session.

  // False: it is so much that the rest need not be looked at.
  bool AddHeader(std::string_view name, std::string_view value);
  // All headers are there.
  void OnHead(const GrpcShared& shared);
  void OnData(std::string_view bytes);
  // The client has sent its last.
  void OnEnd() {
    ended_ = true;
    Deliver();
  }
  // Gives nghttp2 what is to be sent next.
  ssize_t Fill(uint8_t* to, size_t size, uint32_t* flags);
  void OnTrailersSent();
  // They are too large for nghttp2: without them the client would wait for ever.
  void OnHeadersNotSent();
  // What Fill gave is sent, as far as it was whole.
  void OnWritten() {
    if (auto done = std::exchange(write_done_, nullptr)) done();
  }
  // False: its client has taken too long to say even what it wants.
  bool OnTick(steady_clock::time_point now, const GrpcLimits& limits);
  // It is over, for one reason or another.
  void Close();

 private:
  bool AddMetadata(std::string_view name, std::string_view value);
  // Hands over the next message if somebody waits for it and it is there.
  void Deliver();
  // nullopt: it is not there yet.
  std::optional<absl::StatusOr<Message>> Next();
  // The next bytes of what has come.
  std::string Take(size_t size);
  // The client may send as much more as it has sent, since somebody waits for it.
  void Consume(size_t kept = 0);
  void Hold(int64_t bytes);
  // Drops what is not read.
  void Forget() {
    Hold(-static_cast<int64_t>(in_.size() - std::exchange(in_begin_, 0)));
    in_ = {};
  }
  bool HasToSend() const { return sent_slices_ < out_.size(); }
  // Refuses what is no call, in HTTP's words.
  void RefuseHttp(const char* status);
  void RefuseHead(grpc::StatusCode code, const std::string& why) { Finish({code, why}, {}, nullptr); }
  void Resume();

  void Check(steady_clock::time_point now, const GrpcLimits& limits);

  const std::shared_ptr<GrpcSession> session_;
  const int32_t id_;
  const steady_clock::time_point begun_ = steady_clock::now();
  RpcHead head_;
  // What it holds of the memory for all.
  int64_t held_ = 0;
  int64_t max_message_bytes_;
  bool arrived_ = false;
  // As a call that its connection is at work for.
  bool counted_ = false;
  bool reset_ = false;
  bool closed_ = false;
  std::function<void()> gone_;
  std::function<void(bool)> overdue_;

  // The head, while it comes.
  int64_t head_bytes_ = 0;
  std::string verb_;
  std::string content_type_;
  std::string encoding_;
  std::string timeout_;
  bool malformed_ = false;

  // Messages of the client: what has come, and is not read from `in_begin_` on.
  std::string in_;
  size_t in_begin_ = 0;
  size_t unconsumed_ = 0;
  bool ended_ = false;
  std::function<void(absl::StatusOr<Message>)> read_done_;
  steady_clock::time_point read_since_{};

  // Messages to the client.
  bool headers_sent_ = false;
  std::vector<grpc::Slice> out_;
  size_t sent_slices_ = 0;
  size_t sent_bytes_ = 0;
  std::function<void()> write_done_;
  steady_clock::time_point write_since_{};
  int64_t write_bytes_ = 0;
  std::optional<Headers> trailers_;
  std::function<void()> over_;
};

class GrpcSession final : public Session, public std::enable_shared_from_this<GrpcSession> {
 public:
  GrpcSession(std::unique_ptr<Transport> transport, std::shared_ptr<GrpcShared> shared, std::function<void(bool)> changed)
      : transport_(std::move(transport)), shared_(std::move(shared)), changed_(std::move(changed)) {
    const double part = absl::Uniform(absl::BitGen(), 0.9, 1.1);
    old_at_ = born_ + std::chrono::duration_cast<steady_clock::duration>(shared_->limits.max_age * part);
    MakeHttp2();
  }
  ~GrpcSession() override { nghttp2_session_del(http2_); }

  // Session.

  void Start() override {
    const std::array<nghttp2_settings_entry, 2> settings = {
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, shared_->limits.max_streams},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(shared_->limits.max_metadata_bytes)}};
    nghttp2_submit_settings(http2_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(http2_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    Read();
    Flush();
    Arm();
  }
  bool waiting() const override { return calls_ == 0; }
  void Close() override {
    if (over_) return;
    nghttp2_submit_goaway(http2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(http2_), NGHTTP2_NO_ERROR, nullptr, 0);
    FlushLater();
  }
  void Abort() override { Over(); }

  // For its streams.

  nghttp2_session* http2() { return http2_; }
  GrpcShared& shared() { return *shared_; }
  Transport& transport() { return *transport_; }
  // Of several that want something sent, one sends it all.
  void FlushLater() {
    if (over_ || std::exchange(flush_waits_, true)) return;
    if (in_http2_) return;
    transport_->Post([self = shared_from_this()] { self->Flush(); });
  }
  void AddWritten(std::shared_ptr<Stream> stream) { written_.push_back(std::move(stream)); }
  void CountCall(int change) {
    calls_ += change;
    if (!over_ && calls_ + (change < 0 ? 1 : 0) == 1) changed_(false);
  }
  // Memory for what has come and is not read. When there is none left for all, whoever holds much of it goes.
  void Hold(int64_t bytes) {
    held_ += bytes;
    const int64_t all = shared_->unread_bytes += bytes;
    const int64_t most = shared_->limits.max_unread_bytes;
    if (bytes <= 0 || all <= most || (held_ <= most / kSharesOfUnread && all <= 2 * most)) return;
    nghttp2_session_terminate_session(http2_, NGHTTP2_ENHANCE_YOUR_CALM);
  }

 private:
  static GrpcSession& Self(void* self) { return *static_cast<GrpcSession*>(self); }
  Stream* Find(int32_t id) { return static_cast<Stream*>(nghttp2_session_get_stream_user_data(http2_, id)); }

  void MakeHttp2();
  void OnBeginHeaders(int32_t id);
  void OnFrame(const nghttp2_frame& frame);
  void OnData(int32_t id, std::string_view bytes);
  void OnStreamClosed(int32_t id);

  void Read() {
    SizeBuffer();
    transport_->Read(buffer_.data(), buffer_.size(), [self = shared_from_this()](bool ok, size_t bytes) { self->OnRead(ok, bytes); });
  }
  // Calls are mostly small, and connections without one many.
  void SizeBuffer() {
    if (read_bytes_ == buffer_.size()) {
      buffer_.resize(kLargeRead);
    } else if (streams_.empty() && buffer_.size() > kSmallRead) {
      buffer_.resize(kSmallRead);
      buffer_.shrink_to_fit();
    }
  }
  void OnRead(bool ok, size_t bytes);
  void ReadOn();
  // Writes what there is to be sent.
  void Flush();
  // Gathers it; false: HTTP/2 has come to its end.
  bool Fill();
  void OnWritten(bool ok);
  void Arm();
  void OnWake();
  void CheckAge(steady_clock::time_point now);
  void Over();

  const std::unique_ptr<Transport> transport_;
  const std::shared_ptr<GrpcShared> shared_;
  const std::function<void(bool)> changed_;
  nghttp2_session* http2_ = nullptr;
  // Whether nghttp2 is at work, after which what it has to say is sent.
  bool in_http2_ = false;
  bool over_ = false;
  std::unordered_map<int32_t, std::shared_ptr<Stream>> streams_;
  int calls_ = 0;
  int64_t held_ = 0;

  std::vector<char> buffer_ = std::vector<char>(kSmallRead);
  // Of the last read.
  size_t read_bytes_ = 0;
  std::string out_;
  bool writing_ = false;
  bool reading_waits_ = false;
  bool flush_waits_ = false;
  std::vector<std::shared_ptr<Stream>> written_;

  const steady_clock::time_point born_ = steady_clock::now();
  steady_clock::time_point old_at_;
  bool told_of_age_ = false;
  bool goes_ = false;
  bool spoken_ = false;
  bool pinged_ = false;
  steady_clock::time_point idle_since_ = born_;
  steady_clock::time_point read_at_ = born_;
  steady_clock::time_point write_began_ = born_;
  steady_clock::time_point armed_for_ = kNever;
};

// Stream.

void Stream::Dispatch(std::function<void()> work) { session_->transport().Dispatch(std::move(work)); }

bool Stream::AddHeader(std::string_view name, std::string_view value) {
  const auto bytes = static_cast<int64_t>(name.size() + value.size()) + kHeaderBytes;
  head_bytes_ += bytes;
  const int64_t most = session_->shared().limits.max_metadata_bytes;
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

bool Stream::AddMetadata(std::string_view name, std::string_view value) {
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

void Stream::OnHead(const GrpcShared& shared) {
  arrived_ = true;
  // First: of what was too much nothing is known.
  if (head_bytes_ > shared.limits.max_metadata_bytes) {
    return RefuseHead(grpc::StatusCode::RESOURCE_EXHAUSTED,
                      absl::StrCat("the metadata is too large: ", head_bytes_, " bytes, want at most ", shared.limits.max_metadata_bytes));
  }
  if (verb_ != "POST") return RefuseHttp("405");
  if (!IsGrpc(content_type_)) return RefuseHttp("415");
  if (!encoding_.empty() && encoding_ != "identity") {
    return RefuseHead(grpc::StatusCode::UNIMPLEMENTED,
                      absl::StrCat("compressed messages (", encoding_, ") are not taken; send them as they are"));
  }
  if (malformed_)
    return RefuseHead(grpc::StatusCode::INTERNAL,
                      "the metadata is none: a name or value that gRPC does not allow, or binary that is not base64");
  if (!timeout_.empty()) {
    head_.timeout = ParseTimeout(timeout_);
    if (!head_.timeout) return RefuseHead(grpc::StatusCode::INTERNAL, "grpc-timeout is none");
  }
  head_.peer = session_->transport().peer();
  head_.certificate = session_->transport().certificate();
  head_.arrived = begun_;
  session_->CountCall(1);
  counted_ = true;
  shared.handler(shared_from_this());
}

void Stream::MakeOpen() {
  max_message_bytes_ = std::min(max_message_bytes_, kMostOpenBytes);
  if (std::exchange(counted_, false)) session_->CountCall(-1);
}

void Stream::RefuseHttp(const char* status) {
  if (std::exchange(headers_sent_, true)) return;
  trailers_.emplace();
  write_since_ = steady_clock::now();
  WithFields({{":status", status}},
             [this](nghttp2_nv* fields, size_t count) { nghttp2_submit_response(session_->http2(), id_, fields, count, nullptr); });
  session_->FlushLater();
}

void Stream::OnData(std::string_view bytes) {
  unconsumed_ += bytes.size();
  // What nobody will read.
  if (closed_ || trailers_) return Consume();
  in_.append(bytes);
  Hold(static_cast<int64_t>(bytes.size()));
  Deliver();
}

void Stream::Hold(int64_t bytes) {
  held_ += bytes;
  session_->Hold(bytes);
}

void Stream::Consume(size_t kept) {
  if (unconsumed_ <= kept) return;
  nghttp2_session_consume(session_->http2(), id_, std::exchange(unconsumed_, kept) - kept);
  session_->FlushLater();
}

std::optional<absl::StatusOr<Message>> Stream::Next() {
  const size_t there = in_.size() - in_begin_;
  if (there < kPrefixBytes) {
    if (!ended_) return std::nullopt;
    if (there == 0) return Message();
    return PartOfMessage();
  }
  const auto* const prefix = reinterpret_cast<const uint8_t*>(in_.data()) + in_begin_;
  const int64_t size = int64_t{prefix[1]} << 24 | prefix[2] << 16 | prefix[3] << 8 | prefix[4];
  if (size > max_message_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("Received message larger than max (", size, " vs. ", max_message_bytes_, ")"));
  }
  if (prefix[0] != 0) return absl::UnimplementedError("compressed messages are not taken; send them as they are");
  const size_t whole = kPrefixBytes + static_cast<size_t>(size);
  if (there < whole) {
    if (!ended_) return std::nullopt;
    return PartOfMessage();
  }
  Hold(-static_cast<int64_t>(whole));
  return ToMessage(Take(whole));
}

std::string Stream::Take(size_t size) {
  // Mostly there is nothing else.
  if (in_begin_ == 0 && in_.size() == size) return std::exchange(in_, {});
  std::string taken = in_.substr(in_begin_, size);
  in_begin_ += size;
  if (in_begin_ < in_.size() / 2) return taken;
  in_.erase(0, std::exchange(in_begin_, 0));
  if (in_.empty()) in_ = {};
  return taken;
}

void Stream::Deliver() {
  if (closed_ || !read_done_) return;
  auto next = Next();
  // Of what is not read yet the client has to wait, unless it is part of what is waited for.
  Consume(next ? in_.size() - in_begin_ : 0);
  if (next) std::exchange(read_done_, nullptr)(*std::move(next));
}

void Stream::SendHeaders(const Headers& headers) {
  if (closed_ || std::exchange(headers_sent_, true)) return;
  Headers all = {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity"}};
  all.insert(all.end(), headers.begin(), headers.end());
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t* flags, nghttp2_data_source* source, void*) {
    return static_cast<Stream*>(source->ptr)->Fill(to, size, flags);
  };
  WithFields(all, [&](nghttp2_nv* fields, size_t count) { nghttp2_submit_response(session_->http2(), id_, fields, count, &provider); });
  session_->FlushLater();
}

void Stream::Resume() {
  nghttp2_session_resume_data(session_->http2(), id_);
  session_->FlushLater();
}

void Stream::Write(const grpc::ByteBuffer& message, std::function<void()> done) {
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

void Stream::Finish(const grpc::Status& status, const Headers& trailers, std::function<void()> over) {
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

void Stream::Reset() {
  if (closed_ || std::exchange(reset_, true)) return;
  nghttp2_submit_rst_stream(session_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  session_->FlushLater();
}

ssize_t Stream::Fill(uint8_t* to, size_t size, uint32_t* flags) {
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
  if (!std::exchange(out_, {}).empty() && write_done_) session_->AddWritten(shared_from_this());
  sent_slices_ = 0;
  if (!trailers_ && filled == 0) return NGHTTP2_ERR_DEFERRED;
  if (!trailers_) return static_cast<ssize_t>(filled);
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  WithFields(*trailers_, [this](nghttp2_nv* fields, size_t count) { nghttp2_submit_trailer(session_->http2(), id_, fields, count); });
  return static_cast<ssize_t>(filled);
}

void Stream::OnTrailersSent() {
  // The client need not say the rest of what it wants to. Told before the trailers were on their way, it would take it for an error.
  if (!ended_) nghttp2_submit_rst_stream(session_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

void Stream::OnHeadersNotSent() { nghttp2_submit_rst_stream(session_->http2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR); }

bool Stream::OnTick(steady_clock::time_point now, const GrpcLimits& limits) {
  if (!arrived_) return now - begun_ <= limits.preface_time;
  Check(now, limits);
  return true;
}

void Stream::Check(steady_clock::time_point now, const GrpcLimits& limits) {
  const bool takes_long = now - write_since_ > limits.patience + std::chrono::seconds(write_bytes_ / limits.least_bytes_per_second);
  // It does not even take how the call ended.
  if (trailers_ && takes_long) return Reset();
  if (trailers_ || !overdue_) return;
  const bool writing = write_done_ && takes_long;
  const bool late = head_.timeout && now - begun_ > *head_.timeout;
  if (!writing && !(read_done_ && (late || now - read_since_ > limits.patience))) return;
  const auto overdue = overdue_;
  overdue(writing);
}

void Stream::Close() {
  if (std::exchange(closed_, true)) return;
  if (std::exchange(counted_, false)) session_->CountCall(-1);
  Forget();
  Hold(-held_);
  // Its window is gone, but that of the connection is for others.
  nghttp2_session_consume_connection(session_->http2(), std::exchange(unconsumed_, 0));
  session_->FlushLater();
  read_done_ = nullptr;
  write_done_ = nullptr;
  overdue_ = nullptr;
  const auto gone = std::exchange(gone_, nullptr);
  const auto over = std::exchange(over_, nullptr);
  if (gone) gone();
  if (over) over();
}

// GrpcSession.

void GrpcSession::MakeHttp2() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) Self(self).OnBeginHeaders(frame->hd.stream_id);
    return 0;
  });
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value,
                    size_t value_size, uint8_t, void* self) {
        Stream* const stream = Self(self).Find(frame->hd.stream_id);
        // What stands in trailers is for nobody.
        if (stream == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        return stream->AddHeader(ToView(name, name_size), ToView(value, value_size)) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Self(self).OnFrame(*frame);
    return 0;
  });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* self) {
        Self(self).OnData(id, ToView(bytes, size));
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    if (Stream* const stream = Self(self).Find(frame->hd.stream_id)) stream->OnTrailersSent();
    return 0;
  });
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, int, void* self) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (Stream* const stream = Self(self).Find(frame->hd.stream_id)) stream->OnHeadersNotSent();
    return 0;
  });
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session*, int32_t id, uint32_t, void* self) {
    Self(self).OnStreamClosed(id);
    return 0;
  });
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  // What is over is not needed to order others by.
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_session_server_new2(&http2_, callbacks, this, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
}

void GrpcSession::OnBeginHeaders(int32_t id) {
  const auto stream = std::make_shared<Stream>(shared_from_this(), id, shared_->limits.max_message_bytes);
  nghttp2_session_set_stream_user_data(http2_, id, stream.get());
  streams_[id] = stream;
  if (streams_.size() == 1) Arm();
}

void GrpcSession::OnFrame(const nghttp2_frame& frame) {
  spoken_ = true;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  const auto found = streams_.find(frame.hd.stream_id);
  if (found == streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  const bool begins = frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) stream->OnEnd();
  if (begins) stream->OnHead(*shared_);
}

void GrpcSession::OnData(int32_t id, std::string_view bytes) {
  Stream* const stream = Find(id);
  if (stream != nullptr) return stream->OnData(bytes);
  nghttp2_session_consume(http2_, id, bytes.size());
}

void GrpcSession::OnStreamClosed(int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<Stream> stream = std::move(found->second);
  nghttp2_session_set_stream_user_data(http2_, id, nullptr);
  streams_.erase(found);
  stream->Close();
  if (streams_.empty()) idle_since_ = steady_clock::now();
}

void GrpcSession::OnRead(bool ok, size_t bytes) {
  if (over_) return;
  if (!ok) return Over();
  read_at_ = steady_clock::now();
  read_bytes_ = bytes;
  pinged_ = false;
  in_http2_ = true;
  const ssize_t used = nghttp2_session_mem_recv(http2_, reinterpret_cast<const uint8_t*>(buffer_.data()), bytes);
  in_http2_ = false;
  // No HTTP/2, or too much of it; of smaller faults nghttp2 tells the client.
  if (used < 0) return Over();
  Flush();
  if (!over_) ReadOn();
}

void GrpcSession::ReadOn() {
  // Who does not read what it is told, and asks for more, is not listened to meanwhile.
  reading_waits_ = writing_ && nghttp2_session_get_outbound_queue_size(http2_) > kMostUntold;
  if (!reading_waits_) Read();
}

void GrpcSession::Flush() {
  flush_waits_ = false;
  if (over_ || writing_) return;
  out_.clear();
  if (!Fill()) return Over();
  // Room that a large answer took.
  if (out_.empty() && streams_.empty()) out_.shrink_to_fit();
  const bool ends = out_.empty() && nghttp2_session_want_read(http2_) == 0 && nghttp2_session_want_write(http2_) == 0;
  if (!out_.empty()) {
    writing_ = true;
    write_began_ = steady_clock::now();
    transport_->Write(out_, "", [self = shared_from_this()](bool written) { self->OnWritten(written); });
  }
  for (const auto& stream : std::exchange(written_, {})) stream->OnWritten();
  if (ends) Over();
}

bool GrpcSession::Fill() {
  in_http2_ = true;
  const uint8_t* bytes = nullptr;
  ssize_t size = 0;
  do {
    // Set again when the end of a stream makes somebody want something sent.
    flush_waits_ = false;
    while (out_.size() < kMostWritten && (size = nghttp2_session_mem_send(http2_, &bytes)) > 0) out_.append(ToView(bytes, size));
  } while (flush_waits_ && size == 0);
  flush_waits_ = false;
  in_http2_ = false;
  return size >= 0;
}

void GrpcSession::OnWritten(bool ok) {
  writing_ = false;
  if (over_) return;
  if (!ok) return Over();
  Flush();
  if (!over_ && reading_waits_) ReadOn();
}

void GrpcSession::Arm() {
  if (over_) return;
  const GrpcLimits& limits = shared_->limits;
  const auto now = steady_clock::now();
  const auto tick = now + std::min<std::chrono::milliseconds>(limits.patience, std::chrono::seconds(1));
  const auto idle = idle_since_ + (spoken_ ? limits.idle_time : limits.preface_time);
  const auto wake = streams_.empty() && !told_of_age_ ? std::max(now, std::min(idle, old_at_)) : tick;
  if (wake >= armed_for_) return;
  armed_for_ = wake;
  transport_->WakeAt(wake, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnWake();
  });
}

void GrpcSession::OnWake() {
  armed_for_ = kNever;
  if (over_) return;
  const GrpcLimits& limits = shared_->limits;
  const auto now = steady_clock::now();
  if (writing_ && now - write_began_ > limits.patience) return Over();
  if (streams_.empty() && now - idle_since_ >= (spoken_ ? limits.idle_time : limits.preface_time)) {
    // Once the client knows, it goes.
    if (!spoken_ || goes_) return Over();
    goes_ = true;
    idle_since_ = now;
    Close();
  }
  CheckAge(now);
  if (over_) return;
  std::vector<std::shared_ptr<Stream>> streams;
  streams.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) streams.push_back(stream);
  for (const auto& stream : streams) {
    if (!stream->OnTick(now, limits)) return Over();
  }
  Arm();
}

void GrpcSession::CheckAge(steady_clock::time_point now) {
  const GrpcLimits& limits = shared_->limits;
  if (!streams_.empty() && now - read_at_ > limits.ping_after) {
    if (now - read_at_ > limits.ping_after + limits.ping_time) return Over();
    if (!std::exchange(pinged_, true)) nghttp2_submit_ping(http2_, NGHTTP2_FLAG_NONE, nullptr);
    FlushLater();
  }
  if (now < old_at_) return;
  if (now > old_at_ + limits.max_age_grace) return Over();
  // Calls that are on their way are still taken, then no more.
  if (!std::exchange(told_of_age_, true)) {
    nghttp2_submit_shutdown_notice(http2_);
    return FlushLater();
  }
  if (!std::exchange(goes_, true)) Close();
}

void GrpcSession::Over() {
  if (std::exchange(over_, true)) return;
  transport_->Close();
  for (const auto& [id, stream] : std::exchange(streams_, {})) {
    nghttp2_session_set_stream_user_data(http2_, id, nullptr);
    stream->Close();
  }
  written_.clear();
  changed_(true);
}

}  // namespace

std::shared_ptr<Session> MakeGrpcSession(std::unique_ptr<Transport> transport, std::shared_ptr<GrpcShared> shared,
                                         std::function<void(bool)> changed) {
  return std::make_shared<GrpcSession>(std::move(transport), std::move(shared), std::move(changed));
}

}  // namespace peiling::gateway
