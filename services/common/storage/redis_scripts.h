// The Lua scripts that run inside Redis: each is one atomic step on one partition. Private to this library.
//
// A partition's keys (redis_keys.h) are a hash of documents and counters ("data"), a sorted set of the documents' keys ("index") and a
// stream of events ("feed"); all three exist from the first commit on, so that a Cluster can serve them while it moves the slot.
#pragma once

#include <string>

namespace peiling::storage {

struct RedisScript {
  explicit RedisScript(const char* source);
  const std::string source;
  // What EVALSHA wants: SHA-1 in hexadecimal.
  const std::string sha;
};

// KEYS: data, index, feed. ARGV: "1" when it is durable at once; how many expectations, for each key and version; how many writes, for each
// key, expected version or "", "+" and value or "-" and "", and the number of its event (1…) or 0; events.
// Gives {1, first sequence, last sequence}, or {0} when a condition does not hold.
const RedisScript& CommitScript();

// KEYS: data, index, feed. ARGV: how many documents, for each key and packed value; events, for each sequence and value.
// Gives {1, last sequence}, or {0, "document", key} or {0, "event", sequence} when it stands there otherwise or does not fit.
const RedisScript& RestoreScript();

// KEYS: data. Writes something, so that WAIT has something to wait for. Gives the last sequence.
const RedisScript& TouchScript();

// KEYS: data. ARGV: a sequence up to which the feed is durable.
const RedisScript& AdvanceScript();

// KEYS: the list of partitions. ARGV: a partition.
const RedisScript& EnlistScript();

// KEYS: data, index. ARGV: at most how many, at most how many bytes, then ranges of the index as for ZRANGEBYLEX.
// Gives for each range {1 when the range ends there, else 0; index member, packed value, …}.
const RedisScript& ListScript();

// KEYS: data, feed. ARGV: after which sequence; up to which it is known to be durable ("inf": all is); at most how many; at most how many
// bytes. Gives {last sequence, durable sequence, event, …}.
const RedisScript& FeedScript();

}  // namespace peiling::storage
