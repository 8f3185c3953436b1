// Opens the vault of a store, and keeps it from being opened with keys that are not the ones the store was sealed with. A store has in its
// partition "vault", for every key something in it may be sealed with,
//   key/<id>   nothing, sealed with that key
// so that a key that is missing, or another of the same name, is noticed before anything is done.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::vault {

// The vault with the keys of `options`, for the store at `address`. With none given and a store in a file, they are in "<file>.keys" beside
// it, and made there (mode 0600, durable, also when two do so at once) as long as nothing in the store is sealed; a store in memory gets
// keys of its own. With a store that others share, keys must be given.
// FAILED_PRECONDITION: PERSONAL_DATA_KEYS_MISSING says how, also of a file that cannot be read or written, or may not be made anew;
// PERSONAL_DATA_KEY_MISSING (metadata: key) when something is sealed with a key that is not among them nor said to be lost;
// PERSONAL_DATA_KEYS_INVALID of lines that are none, and of a key that is not the one its id was given to. And the store's errors.
absl::StatusOr<std::unique_ptr<Vault>> OpenVault(const Options& options, const std::string& address, storage::Store& store);

// Notes that the first key may be in use; does nothing when that is noted.
absl::Status MarkKey(storage::Store& store, const Vault& vault);
// Notes that nothing is sealed with a key any more.
absl::Status UnmarkKey(storage::Store& store, const std::string& id);

}  // namespace peiling::vault
