#include "tests/gateway/grpc/http2_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace peiling::gateway::http2 {
namespace {

constexpr size_t kHeadOfFrame = 9;
constexpr size_t kMostInFrame = 16'384;

uint32_t NumberIn(std::string_view bytes) {
  uint32_t number = 0;
  for (const char c : bytes.substr(0, 4)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

uint8_t* Bytes(const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); }

}  // namespace

std::string Number(uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8), static_cast<char>(number)};
}

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string frame = Number(static_cast<uint32_t>(payload.size())).substr(1);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += Number(stream);
  frame += payload;
  return frame;
}

std::string Framed(std::string_view message) {
  std::string framed(1, '\0');
  framed += Number(static_cast<uint32_t>(message.size()));
  framed += message;
  return framed;
}

std::vector<std::string> MessagesIn(std::string_view bytes) {
  std::vector<std::string> messages;
  while (bytes.size() >= 5) {
    const uint32_t size = NumberIn(bytes.substr(1));
    messages.emplace_back(bytes.substr(5, size));
    bytes.remove_prefix(std::min<size_t>(bytes.size(), 5 + size));
  }
  return messages;
}

Headers CallHead(const std::string& method, const Headers& more) {
  Headers head = {{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "here"}, {"content-type", "application/grpc"},
                  {"te", "trailers"}};
  head.insert(head.end(), more.begin(), more.end());
  return head;
}

struct HeadWriter::State {
  State() { nghttp2_hd_deflate_new(&deflater, 4096); }
  ~State() { nghttp2_hd_deflate_del(deflater); }
  nghttp2_hd_deflater* deflater = nullptr;
};

HeadWriter::HeadWriter() : state_(std::make_unique<State>()) {}
HeadWriter::~HeadWriter() = default;

std::string HeadWriter::Write(uint32_t stream, const Headers& headers, bool end) {
  std::vector<nghttp2_nv> fields;
  fields.reserve(headers.size());
  for (const auto& [name, value] : headers) {
    fields.push_back({Bytes(name), Bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string block(nghttp2_hd_deflate_bound(state_->deflater, fields.data(), fields.size()), '\0');
  block.resize(nghttp2_hd_deflate_hd(state_->deflater, Bytes(block), block.size(), fields.data(), fields.size()));
  std::string frames;
  for (size_t at = 0; at == 0 || at < block.size(); at += kMostInFrame) {
    const uint8_t ends_head = at + kMostInFrame >= block.size() ? kEndHeaders : kNone;
    const uint8_t ends_stream = at == 0 && end ? kEndStream : kNone;
    frames += Frame(at == 0 ? kHeaders : kContinuation, ends_head | ends_stream, stream, std::string_view(block).substr(at, kMostInFrame));
  }
  return frames;
}

std::string Answer::header(std::string_view name) const {
  for (const auto* part : {&headers, &trailers}) {
    for (const auto& [key, value] : *part) {
      if (key == name) return value;
    }
  }
  return "";
}

struct Client::Inflater {
  Inflater() { nghttp2_hd_inflate_new(&inflater); }
  ~Inflater() { nghttp2_hd_inflate_del(inflater); }
  nghttp2_hd_inflater* inflater = nullptr;
};

Client::Client(int port, bool speaks) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), inflater_(std::make_unique<Inflater>()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) OnClosed();
  if (speaks) Send(kPreface + Frame(kSettings, kNone, 0, ""));
}

Client::~Client() { Close(); }

void Client::Close() {
  if (socket_ >= 0) close(std::exchange(socket_, -1));
  OnClosed();
}

bool Client::Send(std::string_view bytes) {
  while (!bytes.empty() && socket_ >= 0) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return bytes.empty();
}

size_t Client::SendSome(std::string_view bytes) {
  size_t all = 0;
  pollfd ready{socket_, POLLOUT, 0};
  while (all < bytes.size() && poll(&ready, 1, 1000) > 0) {
    const ssize_t sent = send(socket_, bytes.data() + all, bytes.size() - all, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) break;
    all += static_cast<size_t>(sent);
  }
  return all;
}

uint32_t Client::Open(const Headers& headers, bool end) {
  const uint32_t stream = last_stream_ == 0 ? 1 : last_stream_ + 2;
  last_stream_ = stream;
  Send(heads_.Write(stream, headers, end));
  return stream;
}

bool Client::SendData(uint32_t stream, std::string_view bytes, bool end) {
  do {
    const std::string_view part = bytes.substr(0, kMostInFrame);
    bytes.remove_prefix(part.size());
    answers_[stream].window -= static_cast<int64_t>(part.size());
    answers_[0].window -= static_cast<int64_t>(part.size());
    if (!Send(Frame(kData, end && bytes.empty() ? kEndStream : kNone, stream, part))) return false;
  } while (!bytes.empty());
  return true;
}

bool Client::Reset(uint32_t stream, uint32_t code) { return Send(Frame(kResetStream, kNone, stream, Number(code))); }

bool Client::OpenWindow(uint32_t stream, uint32_t bytes) { return Send(Frame(kWindowUpdate, kNone, stream, Number(bytes))); }

bool Client::Await(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (closed_ || std::chrono::steady_clock::now() > end) return false;
    Read();
  }
  return true;
}

bool Client::AwaitPong() {
  const int before = pongs_;
  Send(Frame(kPing, kNone, 0, "12345678"));
  return Await([&] { return pongs_ > before; });
}

bool Client::AwaitEnd(uint32_t stream) {
  return Await([&] { return answers_[stream].ended || answers_[stream].reset; });
}

bool Client::AwaitClosed() {
  Await([&] { return closed_; });
  return closed_;
}

void Client::Read() {
  pollfd ready{socket_, POLLIN, 0};
  if (poll(&ready, 1, 100) <= 0) return;
  std::array<char, 65'536> bytes;
  const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
  if (size <= 0) return OnClosed();
  in_.append(bytes.data(), static_cast<size_t>(size));
  std::string_view rest = in_;
  while (rest.size() >= kHeadOfFrame) {
    const size_t length = NumberIn(std::string(1, '\0') + std::string(rest.substr(0, 3)));
    if (rest.size() < kHeadOfFrame + length) break;
    Take(static_cast<uint8_t>(rest[3]), static_cast<uint8_t>(rest[4]), NumberIn(rest.substr(5)), rest.substr(kHeadOfFrame, length));
    rest.remove_prefix(kHeadOfFrame + length);
  }
  in_.erase(0, in_.size() - rest.size());
}

void Client::Take(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  Answer& answer = answers_[stream];
  switch (type) {
    case kData:
      answer.data += payload;
      answer.ended = (flags & kEndStream) != 0;
      if (opens_windows && !payload.empty()) {
        OpenWindow(0, static_cast<uint32_t>(payload.size()));
        OpenWindow(stream, static_cast<uint32_t>(payload.size()));
      }
      break;
    case kHeaders:
      return TakeHead(stream, payload, (flags & kEndStream) != 0);
    case kResetStream:
      answer.reset = NumberIn(payload);
      break;
    case kSettings:
      if (flags & kAck) {
        ++settings_acks_;
      } else {
        Send(Frame(kSettings, kAck, 0, ""));
      }
      break;
    case kPing:
      ++(flags & kAck ? pongs_ : pings_);
      if (!(flags & kAck) && answers_pings) Send(Frame(kPing, kAck, 0, payload));
      break;
    case kGoAway:
      goaways_.push_back({NumberIn(payload), NumberIn(payload.substr(4))});
      break;
    case kWindowUpdate:
      answer.window += NumberIn(payload);
      break;
    default:
      break;
  }
}

// Heads of answers here are small: one frame each.
void Client::TakeHead(uint32_t stream, std::string_view block, bool end) {
  Answer& answer = answers_[stream];
  Headers& into = answer.headers.empty() ? answer.headers : answer.trailers;
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  size_t left = block.size();
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_->inflater, &field, &flags, at, left, 1);
    if (used < 0) std::abort();
    at += used;
    left -= static_cast<size_t>(used);
    if (flags & NGHTTP2_HD_INFLATE_EMIT) {
      into.emplace_back(std::string(reinterpret_cast<const char*>(field.name), field.namelen),
                        std::string(reinterpret_cast<const char*>(field.value), field.valuelen));
    }
    if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_->inflater);
  answer.ended = end;
}

}  // namespace peiling::gateway::http2
