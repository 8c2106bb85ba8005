// Single requests for metadata objects: what reading, claiming and searching have in common.
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "io/blocking_pool.h"
#include "io/until.h"
#include "object/store.h"
#include "tier/metadata/envelope.h"
#include "tier/metadata/log_payload.h"
#include "tier/metadata/names.h"
#include "tier/metadata/root.h"

namespace firn::tier {

// A volume's place in an object store, and what is needed to read and write it. A value: copied freely; what it refers
// to must outlive every user. The store should be wrapped by object::retrying().
struct Bucket {
  object::ObjectStore& store;
  io::BlockingPool& pool;  // for compression and encryption
  Random& random;          // ids and nonces: unpredictable where the volume is sealed
  std::optional<Key> key;  // everything but the volume's object is sealed with it
  Codec codec = Codec::kZstd;
  int64_t request_ns = 60'000'000'000;  // deadline of a request, its attempts included
};

// The volume's own object: bytes that the caller gives meaning, readable without the key. kExists: there is one.
io::Task<Result<void>> create_volume_object(Bucket bucket, std::string content, io::CancelToken* token = nullptr);
// kNotFound: there is no volume here.
io::Task<Result<std::string>> read_volume_object(Bucket bucket, io::CancelToken* token = nullptr);

// The whole object, verified. kNotFound: there is none. Decodes beside the reactor when it is large.
io::Task<Result<OpenedObject>> read_object(Bucket bucket, std::string name, ObjectReader::Expected expected,
                                           io::CancelToken* token);
struct FoundRoot {
  uint64_t number = 0;
  Envelope envelope;
  Root root;
};
io::Task<Result<FoundRoot>> read_root(Bucket bucket, uint64_t number, io::CancelToken* token);
io::Task<Result<OpenedObject>> read_log(Bucket bucket, uint64_t number, io::CancelToken* token);

// Its header alone; nullopt when there is no such object.
io::Task<Result<std::optional<Envelope>>> read_envelope(Bucket bucket, std::string name, io::CancelToken* token);
// Whether what is there is the object with this header, of so many bytes, and not another of that name or a part.
io::Task<Result<bool>> is_kept(Bucket bucket, std::string name, Envelope ours, uint64_t object_bytes,
                               io::CancelToken* token);
io::Task<Result<bool>> object_exists(Bucket bucket, std::string name, io::CancelToken* token);

// Puts `content`, whose header is `ours`, unless there is such an object. Nullopt: what is there is ours, also when an
// earlier try with the same content arrived after all. Otherwise the header of what is there. A failure leaves open
// whether it was put: try again with the same content.
io::Task<Result<std::optional<Envelope>>> claim(Bucket bucket, std::string name, object::Content content, Envelope ours,
                                                io::CancelToken* token);

// As claim(); and what was put is looked at, by one more request, before it counts. Where the store has said to have it
// and has not, it is put again. kIo: the store does not keep it, or only a part.
io::Task<Result<std::optional<Envelope>>> claim_and_look(Bucket bucket, std::string name, object::Content content,
                                                         Envelope ours, io::CancelToken* token);

// The number of the newest root; 0: there is none. `at_least`: one that is known to have existed. About two requests
// for every bit of the number, fewer from `at_least` on.
io::Task<Result<uint64_t>> newest_root(Bucket bucket, uint64_t at_least, io::CancelToken* token);
// Whether a root's number is one that newest_root() asks for while `newest` is the newest.
bool is_signpost(uint64_t number, uint64_t newest);

}  // namespace firn::tier
