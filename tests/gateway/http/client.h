// A client that sends bytes as they are, and reads what comes back.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace peiling::gateway {

// An answer. Names of headers in lower case; several of one name joined with ", ".
struct Answered {
  // 0: there was none.
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  // All bytes of the head.
  std::string head;
};

// One connection to a port of this machine. Not thread-safe.
class Client {
 public:
  explicit Client(int port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False once the other side has closed.
  bool Send(std::string_view bytes);
  // Says that nothing more comes.
  void ShutdownSend();
  // Only as much as this is taken in before it is read.
  void LimitReceiveBuffer(int bytes);
  // Closes without a word.
  void Reset();

  // The next answer whole. `to`: the method asked with, of which HEAD has no body.
  Answered Read(std::string_view to = "GET");
  // The head of the next answer alone.
  Answered ReadHead();
  // Of an answer in chunks: the next chunk, "" at its end or when the connection is over.
  std::string ReadChunk();
  // The next line of an answer in chunks, without its end.
  std::string ReadLine();
  // All that comes until the other side closes, or 10 seconds have gone.
  std::string ReadToEnd();
  // Whether the other side has closed, waiting for it for at most 10 seconds.
  bool Closed();

  // Sends a request with a Host, `headers` ("a: b\r\n…") and a body when there is one, and reads the answer.
  Answered Ask(std::string_view verb, std::string_view target, std::string_view headers = "", std::string_view body = "");

 private:
  bool Fill();
  std::string Take(size_t bytes);

  int socket_;
  bool closed_ = false;
  std::string in_;
  std::string line_;
};

}  // namespace peiling::gateway
