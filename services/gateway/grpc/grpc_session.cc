#include "services/gateway/grpc/grpc_session.h"

#include <nghttp2/nghttp2.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "services/gateway/grpc/grpc_stream.h"

namespace peiling::gateway {
namespace {

using std::chrono::steady_clock;

// Read and written at once.
constexpr size_t kSmallRead = 4 << 10;
constexpr size_t kLargeRead = 32 << 10;
constexpr size_t kMostWritten = 128 << 10;
// What clients may have on its way on a connection, whatever the calls; of one call it is HTTP/2's default of 64 KiB.
constexpr int32_t kConnectionWindow = 1 << 20;
// A connection holds more than its share of the memory for what is not read when it holds this part.
constexpr int64_t kSharesOfUnread = 16;
// Frames that wait until the client reads.
constexpr size_t kMostUntold = 1000;

constexpr auto kNever = steady_clock::time_point::max();

std::string_view ToView(const uint8_t* bytes, size_t size) { return {reinterpret_cast<const char*>(bytes), size}; }

class GrpcSession final : public Session, public GrpcConnection, public std::enable_shared_from_this<GrpcSession> {
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

  // GrpcConnection.

  nghttp2_session* http2() override { return http2_; }
  GrpcShared& shared() override { return *shared_; }
  Transport& transport() override { return *transport_; }
  void FlushLater() override {
    if (over_ || std::exchange(flush_waits_, true)) return;
    if (in_http2_) return;
    transport_->Post([self = shared_from_this()] { self->Flush(); });
  }
  void AddWritten(std::shared_ptr<GrpcStream> stream) override { written_.push_back(std::move(stream)); }
  void CountCall(int change) override {
    calls_ += change;
    if (!over_ && calls_ + (change < 0 ? 1 : 0) == 1) changed_(false);
  }
  // When there is no memory left for all, whoever holds much of it goes.
  void Hold(int64_t bytes) override {
    held_ += bytes;
    const int64_t all = shared_->unread_bytes += bytes;
    const int64_t most = shared_->limits.max_unread_bytes;
    if (bytes <= 0 || all <= most || (held_ <= most / kSharesOfUnread && all <= 2 * most)) return;
    nghttp2_session_terminate_session(http2_, NGHTTP2_ENHANCE_YOUR_CALM);
  }

 private:
  static GrpcSession& Self(void* self) { return *static_cast<GrpcSession*>(self); }
  GrpcStream* Find(int32_t id) { return static_cast<GrpcStream*>(nghttp2_session_get_stream_user_data(http2_, id)); }

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
  std::unordered_map<int32_t, std::shared_ptr<GrpcStream>> streams_;
  int calls_ = 0;
  int64_t held_ = 0;

  std::vector<char> buffer_ = std::vector<char>(kSmallRead);
  // Of the last read.
  size_t read_bytes_ = 0;
  std::string out_;
  bool writing_ = false;
  bool reading_waits_ = false;
  bool flush_waits_ = false;
  std::vector<std::shared_ptr<GrpcStream>> written_;

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
        GrpcStream* const stream = Self(self).Find(frame->hd.stream_id);
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
    if (GrpcStream* const stream = Self(self).Find(frame->hd.stream_id)) stream->OnTrailersSent();
    return 0;
  });
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* frame, int, void* self) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (GrpcStream* const stream = Self(self).Find(frame->hd.stream_id)) stream->OnHeadersNotSent();
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
  const auto stream = std::make_shared<GrpcStream>(shared_from_this(), id, shared_->limits.max_message_bytes);
  nghttp2_session_set_stream_user_data(http2_, id, stream.get());
  streams_[id] = stream;
  if (streams_.size() == 1) Arm();
}

void GrpcSession::OnFrame(const nghttp2_frame& frame) {
  spoken_ = true;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  const auto found = streams_.find(frame.hd.stream_id);
  if (found == streams_.end()) return;
  const std::shared_ptr<GrpcStream> stream = found->second;
  const bool begins = frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) stream->OnEnd();
  if (begins) stream->OnHead(*shared_);
}

void GrpcSession::OnData(int32_t id, std::string_view bytes) {
  GrpcStream* const stream = Find(id);
  if (stream != nullptr) return stream->OnData(bytes);
  nghttp2_session_consume(http2_, id, bytes.size());
}

void GrpcSession::OnStreamClosed(int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::shared_ptr<GrpcStream> stream = std::move(found->second);
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
  std::vector<std::shared_ptr<GrpcStream>> streams;
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
