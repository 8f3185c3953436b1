// Redis servers and Sentinels for tests: private processes on free ports of this machine, in folders that go away with them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/contract/place.h"

namespace peiling::storage {

// A port of 127.0.0.1 that nobody uses at this moment, nor the one 10000 beyond it (the bus of a Cluster).
int FreePort();

// A process of redis-server. Dies with its owner, and with this process.
class RedisServer {
 public:
  // `lines` of its configuration come after, and so override, what makes writes durable. They may name files of its folder, which it
  // runs in. With `sentinel` they are a Sentinel's.
  explicit RedisServer(const std::vector<std::string>& lines = {}, bool sentinel = false);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

  // kill -9, and starting again with the same data. Start waits until it answers.
  void Kill();
  void Start();
  // It runs no more until Continue: connections are accepted, nothing is answered.
  void Pause() const;
  void Continue() const;

  // The answer to a command, as text: of an array the elements, separated by spaces.
  std::string Ask(const std::vector<std::string>& command) const;

 private:
  const int port_;
  const bool sentinel_;
  Folder folder_;
  pid_t pid_ = -1;
};

// Asks until the answer holds `text`; a failed test when it does not within 20 seconds.
void Await(const RedisServer& server, const std::vector<std::string>& command, const std::string& text);

}  // namespace peiling::storage
