#include "services/gateway/http/http_session.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/gateway/http/api_version.h"
#include "services/gateway/http/problem.h"

namespace peiling::gateway {
namespace {

using std::chrono::steady_clock;

// What is taken in of a client that sends on while nobody wants it: bodies before they are wanted, and requests before their turn.
constexpr size_t kMaxAhead = 64 << 10;
// A connection that waits holds little memory.
constexpr size_t kSmallRead = 2 << 10;
constexpr size_t kLargeRead = 16 << 10;
// Read and thrown away of a client that is told to go.
constexpr size_t kMaxLingering = 1 << 20;

constexpr auto kNever = steady_clock::time_point::max();

// NLGov REST API Design Rules, "security headers", and those that every answer of an API should have (OWASP REST Security Cheat Sheet).
const std::string& CommonHeaders() {
  static const auto* const headers = new std::string(absl::StrCat("API-Version: ", kApiVersion.data(),
                                                                  "\r\n"
                                                                  "Cache-Control: no-store\r\n"
                                                                  "Content-Security-Policy: frame-ancestors 'none'\r\n"
                                                                  "Strict-Transport-Security: max-age=31536000\r\n"
                                                                  "X-Content-Type-Options: nosniff\r\n"
                                                                  "X-Frame-Options: DENY\r\n"));
  return *headers;
}

// The header Date; made once a second.
const std::string& DateHeader() {
  thread_local absl::Time second;
  thread_local std::string header;
  const absl::Time now = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()));
  if (now != second) {
    second = now;
    header = absl::FormatTime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", now, absl::UTCTimeZone());
  }
  return header;
}

bool HasNoContent(int status) { return status == 204 || status == 304; }

class HttpSession final : public Session, public Exchange, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::unique_ptr<Transport> transport, const SessionLimits& limits, HttpHandler handler, std::function<void(bool)> changed)
      : transport_(std::move(transport)), limits_(limits), handler_(std::move(handler)), changed_(std::move(changed)) {}

  // Session.

  void Start() override {
    wait_until_ = steady_clock::now() + limits_.head_time;
    StartRead();
    Arm();
  }

  bool waiting() const override { return state_ == State::kWaiting || (open_ && piece_wanted_); }

  void Close() override {
    close_after_ = true;
    if (state_ == State::kWaiting) return Over();
    if (state_ == State::kAnswering && (streaming_ || piece_wanted_)) Gone();
  }

  void Abort() override {
    if (state_ == State::kAnswering) return Gone();
    Over();
  }

  // Exchange.

  const HttpRequest& request() const override { return request_; }
  void Dispatch(std::function<void()> work) override { transport_->Dispatch(std::move(work)); }

  void MakeOpen() override {
    open_ = true;
    max_body_bytes_ = std::min(limits_.max_body_bytes, limits_.max_open_body_bytes);
  }

  void ReadBody(std::function<void(Piece)> done) override {
    if (state_ != State::kAnswering) return done({});
    piece_wanted_ = std::move(done);
    wait_began_ = steady_clock::now();
    ReadPiece();
  }

  void ReadWholeBody(std::function<void(std::string*)> done) override {
    whole_.clear();
    if (state_ != State::kAnswering) return done(nullptr);
    if (parser_->content_length().value_or(0) > max_body_bytes_) {
      FailBody(BodyTooLarge());
      return done(nullptr);
    }
    ReadMore(std::move(done));
  }

  void Answer(HttpResponse response) override {
    if (state_ != State::kAnswering || answer_begun_) return;
    SkipBody();
    std::string head = HeadOf(response);
    if (!HasNoContent(response.status)) absl::StrAppend(&head, "Content-Length: ", response.body.size(), "\r\n");
    head += "\r\n";
    if (request_.verb == "HEAD" || HasNoContent(response.status)) response.body.clear();
    Send(std::move(head), std::move(response.body), [this](bool ok) {
      if (ok) Finish();
    });
  }

  void BeginStream(HttpResponse response) override {
    if (state_ != State::kAnswering || answer_begun_) return;
    streaming_ = true;
    chunked_ = request_.version >= 11;
    close_after_ = close_after_ || !chunked_;
    Send(absl::StrCat(HeadOf(response), chunked_ ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"), "", nullptr);
  }

  void Write(std::string bytes, std::function<void(bool)> done) override {
    if (state_ != State::kAnswering || !streaming_) return done(false);
    std::string size = chunked_ ? absl::StrCat(absl::Hex(bytes.size()), "\r\n") : "";
    if (chunked_) bytes += "\r\n";
    Send(std::move(size), std::move(bytes), std::move(done));
  }

  void EndStream() override {
    if (state_ != State::kAnswering || !streaming_) return;
    SkipBody();
    Send(chunked_ ? "0\r\n\r\n" : "", "", [this](bool ok) {
      if (ok) Finish();
    });
  }

  void OnGone(std::function<void()> gone) override {
    gone_ = std::move(gone);
    if (state_ != State::kAnswering) TellGone();
  }

  void Every(int seconds, std::function<void()> tick) override {
    tick_ = std::move(tick);
    tick_every_ = std::chrono::seconds(seconds);
    next_tick_ = steady_clock::now() + tick_every_;
    Arm();
  }

  void AddHeader(std::string name, std::string value) override { added_.emplace_back(std::move(name), std::move(value)); }

 private:
  enum class State {
    // For a request; none of which has been read whole.
    kWaiting,
    // A request that was read is with the handler, or its answer is being written.
    kAnswering,
    // All is said; the client is given time to read it.
    kLingering,
    kOver,
  };

  static HttpResponse BodyTooLarge() { return HttpProblem(413, "BODY_TOO_LARGE", "the body of the request is too large"); }

  // Reading.

  void StartRead() {
    if (reading_ || state_ == State::kOver || in_.size() >= kMaxAhead) return;
    reading_ = true;
    buffer_.resize(state_ == State::kWaiting ? kSmallRead : kLargeRead);
    if (state_ == State::kWaiting) buffer_.shrink_to_fit();
    transport_->Read(buffer_.data(), buffer_.size(), [self = shared_from_this()](bool ok, size_t bytes) { self->OnRead(ok, bytes); });
  }

  void OnRead(bool ok, size_t bytes) {
    reading_ = false;
    if (state_ == State::kOver) return;
    if (!ok) {
      // Some say that they have no more to ask, and read on; a write tells whether they do.
      if (state_ == State::kAnswering && answer_begun_ && !streaming_) return;
      return state_ == State::kAnswering ? Gone() : Over();
    }
    if (state_ == State::kLingering) {
      lingered_ += bytes;
      return lingered_ > kMaxLingering ? Over() : StartRead();
    }
    in_.append(buffer_.data(), bytes);
    if (state_ == State::kWaiting) {
      ReadHead();
    } else if (piece_wanted_) {
      ReadPiece();
    }
    StartRead();
  }

  void ReadHead() {
    if (in_.empty()) return;
    if (!head_begun_) {
      head_begun_ = true;
      wait_until_ = steady_clock::now() + limits_.head_time;
      Arm();
    }
    const size_t end = RequestParser::HeadEnd(in_);
    if (end == std::string::npos && in_.size() <= limits_.parser.max_head_bytes) return;
    request_ = {};
    parser_ = nullptr;
    request_.peer = transport_->peer();
    request_.certificate = transport_->certificate();
    state_ = State::kAnswering;
    if (end == std::string::npos) return Refuse(HttpProblem(431, "HEADERS_TOO_LARGE", "the head of the request is too large"));
    auto parser = std::make_unique<RequestParser>(limits_.parser);
    std::optional<HttpResponse> problem = parser->ReadHead(std::string_view(in_).substr(0, end), request_);
    in_.erase(0, end);
    if (problem) return Refuse(*std::move(problem));
    parser_ = std::move(parser);
    const std::string expectation = request_.Header("expect");
    if (!expectation.empty() && absl::AsciiStrToLower(expectation) != "100-continue") {
      return Refuse(HttpProblem(417, "EXPECTATION_UNKNOWN", "want no header Expect, or 100-continue"));
    }
    continue_awaited_ = !expectation.empty() && request_.has_body && request_.version >= 11;
    close_after_ = close_after_ || !parser_->keep_alive();
    changed_(false);
    handler_(shared_from_this());
  }

  // Answers to what is no request, after which nobody can tell where the next one begins.
  void Refuse(HttpResponse response) {
    close_after_ = true;
    changed_(false);
    Answer(std::move(response));
  }

  // Bodies.

  void ReadPiece() {
    piece_.clear();
    const std::optional<size_t> used = parser_->ReadBody(in_, piece_);
    if (!used) return FailBody(HttpProblem(400, "REQUEST_MALFORMED", "the body of the request is in pieces that are none of HTTP"));
    in_.erase(0, *used);
    body_bytes_ += piece_.size();
    if (!piece_.empty() || parser_->done()) {
      waited_ += steady_clock::now() - wait_began_;
      moved_ = steady_clock::now();
      const auto wanted = std::exchange(piece_wanted_, nullptr);
      if (open_) changed_(false);
      return wanted({true, parser_->done(), piece_});
    }
    if (open_) changed_(false);
    if (std::exchange(continue_awaited_, false) && !answer_begun_) Send("HTTP/1.1 100 Continue\r\n\r\n", "", nullptr);
    StartRead();
    Arm();
  }

  void ReadMore(std::function<void(std::string*)> done) {
    if (parser_->done()) return done(&whole_);
    ReadBody([this, done = std::move(done)](Piece piece) {
      if (!piece.ok) return done(nullptr);
      whole_.append(piece.bytes);
      if (whole_.size() > max_body_bytes_) {
        FailBody(BodyTooLarge());
        return done(nullptr);
      }
      ReadMore(done);
    });
  }

  // The body is over before its end: tells the client, or when an answer has begun breaks it off.
  void FailBody(HttpResponse response) {
    close_after_ = true;
    auto wanted = std::exchange(piece_wanted_, nullptr);
    if (answer_begun_) {
      Gone();
    } else {
      Answer(std::move(response));
    }
    if (wanted) wanted({});
  }

  // What is left of a body that nobody wants is used up if it is there already; else nobody can tell when the next request begins.
  void SkipBody() {
    piece_wanted_ = nullptr;
    if (parser_ == nullptr || parser_->done()) return;
    std::string skipped;
    const std::optional<size_t> used = parser_->ReadBody(in_, skipped);
    in_.erase(0, used.value_or(0));
    if (!parser_->done()) close_after_ = true;
  }

  // Answers.

  std::string HeadOf(const HttpResponse& response) {
    answer_begun_ = true;
    std::string head = absl::StrCat("HTTP/1.1 ", response.status, " \r\n", DateHeader(), CommonHeaders());
    const auto add = [&head](const auto& headers) {
      for (const auto& [name, value] : headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
    };
    add(added_);
    add(response.headers);
    if (close_after_) head += "Connection: close\r\n";
    return head;
  }

  // Writes, after what is being written.
  void Send(std::string first, std::string second, std::function<void(bool)> done) {
    waiting_to_be_sent_.push_back({std::move(first), std::move(second), std::move(done)});
    if (!sending_) SendNext();
  }

  void SendNext() {
    sending_ = true;
    sent_ = std::move(waiting_to_be_sent_.front());
    waiting_to_be_sent_.erase(waiting_to_be_sent_.begin());
    send_began_ = steady_clock::now();
    transport_->Write(sent_.first, sent_.second, [self = shared_from_this()](bool ok) { self->OnSent(ok); });
    Arm();
  }

  void OnSent(bool ok) {
    sending_ = false;
    if (state_ == State::kOver) return;
    if (!ok) return Gone();
    auto done = std::exchange(sent_.done, nullptr);
    if (!waiting_to_be_sent_.empty()) SendNext();
    if (done) done(true);
  }

  void Finish() {
    gone_ = nullptr;
    tick_ = nullptr;
    added_.clear();
    whole_.clear();
    max_body_bytes_ = limits_.max_body_bytes;
    if (close_after_) return Linger();
    state_ = State::kWaiting;
    open_ = head_begun_ = answer_begun_ = streaming_ = continue_awaited_ = false;
    body_bytes_ = 0;
    waited_ = {};
    wait_until_ = steady_clock::now() + limits_.idle_time;
    changed_(false);
    ReadHead();
    StartRead();
    Arm();
  }

  // A connection closed while its client sends would be reset, and the answer lost (RFC 9112, 9.6).
  void Linger() {
    state_ = State::kLingering;
    wait_until_ = steady_clock::now() + limits_.linger_time;
    in_.clear();
    transport_->ShutdownSend();
    StartRead();
    Arm();
  }

  // Ends.

  // The client has gone, or is given up, before it was answered.
  void Gone() {
    auto wanted = std::exchange(piece_wanted_, nullptr);
    auto unsent = std::exchange(waiting_to_be_sent_, {});
    unsent.push_back(std::exchange(sent_, {}));
    Over();
    if (wanted) wanted({});
    for (auto& one : unsent) {
      if (one.done) one.done(false);
    }
    TellGone();
  }

  void TellGone() {
    if (auto gone = std::exchange(gone_, nullptr)) gone();
  }

  void Over() {
    if (state_ == State::kOver) return;
    state_ = State::kOver;
    tick_ = nullptr;
    transport_->Close();
    changed_(true);
  }

  // Time.

  std::chrono::nanoseconds TimeFor(uint64_t bytes) const {
    return limits_.patience + std::chrono::milliseconds(1000 * bytes / limits_.least_bytes_per_second);
  }

  // When the client is given up.
  steady_clock::time_point Deadline() const {
    if (state_ == State::kOver) return kNever;
    if (state_ != State::kAnswering) return wait_until_;
    // What it has to its head's end.
    if (piece_wanted_ && open_) return wait_until_;
    if (piece_wanted_) return wait_began_ + TimeFor(body_bytes_) - waited_;
    // Who sends and reads in turn has time to take an answer once nothing of the body is waited for.
    if (sending_) return std::max(send_began_, moved_) + TimeFor(sent_.first.size() + sent_.second.size());
    return kNever;
  }

  void Arm() {
    const auto wake = std::min(Deadline(), tick_ ? next_tick_ : kNever);
    // One that comes too early looks again; most deadlines are put off many times.
    if (wake >= armed_for_) return;
    armed_for_ = wake;
    transport_->WakeAt(wake, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->OnWake();
    });
  }

  void OnWake() {
    armed_for_ = kNever;
    const auto now = steady_clock::now();
    if (Deadline() <= now) {
      OnLate();
    } else if (tick_ && next_tick_ <= now) {
      next_tick_ = now + tick_every_;
      const auto tick = tick_;
      tick();
    }
    Arm();
  }

  void OnLate() {
    if (state_ == State::kWaiting && head_begun_) {
      request_ = {};
      parser_ = nullptr;
      state_ = State::kAnswering;
      return Refuse(HttpProblem(408, "REQUEST_TOO_SLOW", "the head of the request did not come in time"));
    }
    if (state_ != State::kAnswering) return Over();
    if (piece_wanted_) return FailBody(HttpProblem(408, "REQUEST_TOO_SLOW", "the body of the request comes too slowly"));
    Gone();
  }

  struct Outgoing {
    std::string first;
    std::string second;
    std::function<void(bool)> done;
  };

  const std::unique_ptr<Transport> transport_;
  const SessionLimits limits_;
  const HttpHandler handler_;
  const std::function<void(bool)> changed_;
  State state_ = State::kWaiting;

  // Read and not used yet.
  std::string in_;
  std::vector<char> buffer_;
  bool reading_ = false;
  size_t lingered_ = 0;

  // The request.
  std::unique_ptr<RequestParser> parser_;
  HttpRequest request_;
  bool head_begun_ = false;
  bool continue_awaited_ = false;
  std::string piece_;
  std::string whole_;
  std::function<void(Piece)> piece_wanted_;
  // Anybody may ask it.
  bool open_ = false;
  size_t max_body_bytes_ = limits_.max_body_bytes;
  uint64_t body_bytes_ = 0;

  // The answer.
  std::vector<std::pair<std::string, std::string>> added_;
  bool answer_begun_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool close_after_ = false;
  bool sending_ = false;
  Outgoing sent_;
  std::vector<Outgoing> waiting_to_be_sent_;
  std::function<void()> gone_;
  std::function<void()> tick_;

  // Time.
  steady_clock::time_point wait_until_ = kNever;
  steady_clock::time_point armed_for_ = kNever;
  steady_clock::time_point wait_began_{};
  steady_clock::duration waited_{};
  steady_clock::time_point send_began_{};
  steady_clock::time_point moved_{};
  std::chrono::seconds tick_every_{};
  steady_clock::time_point next_tick_ = kNever;
};

}  // namespace

std::shared_ptr<Session> MakeHttpSession(std::unique_ptr<Transport> transport, const SessionLimits& limits, HttpHandler handler,
                                         std::function<void(bool)> changed) {
  return std::make_shared<HttpSession>(std::move(transport), limits, std::move(handler), std::move(changed));
}

}  // namespace peiling::gateway
