#include "tier/upload_pass.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/failpoint.h"
#include "io/reactor.h"
#include "kv/kv.h"
#include "tier/data_ahead.h"
#include "tier/recorded_chunks.h"

namespace firn::tier {

namespace {

constexpr size_t kChunksPerCommit = 1024;  // a transaction is held in memory
constexpr uint64_t kChunksPerLook = 64;    // at whether there is use in reading on

// Shorter than asked for where the backing ends early.
io::Task<Result<std::string>> read_chunk(io::File& file, uint64_t offset, size_t bytes) {
  std::string chunk(bytes, '\0');
  chunk.resize(CO_TRY(co_await file.read(offset, std::as_writable_bytes(std::span(chunk)))));
  co_return chunk;
}

// Others go on: a blob was given up meanwhile, and the next pass sends what was to be in it (kStale); or the chunks
// that changed are more than one transaction can replace (kInvalid).
bool is_of_the_file(const Status& why) { return why == Code::kStale || why == Code::kInvalid; }

Status of_file(const Status& why, InodeId inode) {
  const std::string file = "inode " + std::to_string(inode.value);
  if (why != Code::kInvalid) return Status(why).with_context(file);
  return Status(why.code(), file + ": more of its chunks have changed than can be recorded at once (" +
                                std::to_string(kv::kMaxTransactionBytes >> 20) +
                                " MiB of records): its newest version is not in colder tiers");
}

}  // namespace

io::Task<Result<UploadSummary>> UploadPass::run() {
  forget_old_live_files();
  late_ = memory_.late.tiers();
  out_of_reach_ = memory_.round.out_of_reach | late_;
  summary_.first_failure = memory_.round.first_failure;
  summary_.only_refused = memory_.round.only_refused;
  Result<void> done;
  const std::vector<InodeId> inodes = CO_TRY(co_await list());
  for (const InodeId inode : inodes) {
    if (cancelled() || !finished_) break;
    if (nobody_answers()) {
      ++summary_.failed;
      continue;
    }
    done = co_await add_file(inode);
    if (!done) break;
  }
  co_await send();
  co_await gate_.close();
  CO_TRY(std::move(done));
  CO_TRY(std::move(finished_));
  co_await end_pass();
  co_return summary_;
}

io::Task<Result<UploadSummary>> UploadPass::run_for(InodeId inode) {
  beside_ = true;
  const meta::Attr attr = CO_TRY(co_await parts_.meta.getattr(inode));
  if (!attr.content.settled || attr.content.evicted) co_return summary_;
  Result<void> done = co_await add_settled(attr);
  co_await send();
  co_await gate_.close();
  CO_TRY(std::move(done));
  CO_TRY(std::move(finished_));
  co_return summary_;
}

io::Task<Result<void>> UploadPass::add_file(InodeId inode) {
  const Result<meta::Attr> attr = co_await parts_.meta.getattr(inode);
  if (!attr && attr.error().code() == Code::kStale) co_return Result<void>();  // gone, and its record with it
  if (!attr) co_return fail(attr.error());
  const meta::Content& content = attr->content;
  const bool not_now = content.live && (!content.settled || !(goes_on_live(inode) || live_is_due(inode)));
  if (!content.live) memory_.live_files.erase(inode);
  if (content.evicted) co_return co_await add_evicted(*attr);
  if (attr->policy.skips_every_tier() && attr->nlink > 0) {
    co_return co_await add_read({.inode = inode, .generation = content.generation, .leaves = true});
  }
  if (not_now || attr->nlink == 0) {
    ++summary_.postponed;
    co_return Result<void>();
  }
  // Nobody writes it, and it has been read as it is.
  if (!content.live && waits(inode, content.generation)) {
    ++summary_.failed;
    co_return Result<void>();
  }
  if (const auto refused = memory_.refused.find(inode); refused != memory_.refused.end()) {
    if (refused->second == content.generation && !content.live) {
      note_refusal(of_file(Status(Code::kInvalid), inode));
      ++summary_.failed;
      co_return Result<void>();
    }
    memory_.refused.erase(refused);
  }
  if (content.settled) co_return co_await add_settled(*attr);
  // Inline now: finish() drops its chunks.
  co_return co_await add_read({.inode = inode, .generation = content.generation, .skip = attr->policy.skip});
}

io::Task<Result<void>> UploadPass::add_read(File file) {
  files_.push_back(std::move(file));
  files_.back().read = true;
  co_return co_await count_down(files_.back());
}

io::Task<Result<void>> UploadPass::add_settled(const meta::Attr& attr) {
  if (attr.size > meta::kMaxChunks * options_.chunk_bytes) {
    note_refusal(of_file(Status(Code::kFileTooBig), attr.inode));
    ++summary_.failed;
    co_return Result<void>();
  }
  files_.push_back({.inode = attr.inode,
                    .generation = attr.content.generation,
                    .chunk_count = (attr.size + options_.chunk_bytes - 1) / options_.chunk_bytes,
                    .bytes = attr.size,
                    .skip = attr.policy.skip,
                    .replaces = attr.content.uploaded_size.has_value(),
                    .recorded_bytes = attr.content.uploaded_size,
                    .hot = true,
                    .at_rest = !is_taken_as_it_is(attr)});
  go_on(files_.back());
  const size_t file = files_.size() - 1;
  co_return co_await add_all(file, add_chunks(file, attr.content.backing));
}

void UploadPass::forget_old_live_files() {
  const int64_t long_ago = io::Reactor::current()->clock().monotonic_ns() - 2 * options_.live_interval_ns;
  std::erase_if(memory_.live_files, [long_ago](const auto& seen) { return seen.second < long_ago; });
}

bool UploadPass::live_is_due(InodeId inode) {
  const int64_t now = io::Reactor::current()->clock().monotonic_ns();
  const auto [seen, first] = memory_.live_files.try_emplace(inode, now);
  if (first || now - seen->second < options_.live_interval_ns) return false;
  seen->second = now;
  return true;
}

// What cannot be read of a file is that file's failure.
io::Task<Result<void>> UploadPass::add_all(size_t file, io::Task<Result<void>> adding) {
  Result<void> added = co_await std::move(adding);
  files_[file].read = added.has_value();
  if (!added) {
    files_[file].failed = true;
    files_[file].only_waits = false;
    if (!files_[file].refused) note_failure(added.error());
  }
  co_return co_await count_down(files_[file]);
}

io::Task<Result<void>> UploadPass::add_chunks(size_t file, BackingId backing) {
  const data::ObjectRef object = CO_TRY(co_await parts_.data.open(backing));
  RecordedChunks recorded(parts_.tiering, files_[file].inode);
  DataAhead data(object->file());
  const uint64_t bytes = files_[file].bytes;
  for (uint64_t index = files_[file].turn.begin; index < files_[file].turn.end; ++index) {
    // Nothing is read and compressed that has nowhere to go.
    if (nobody_answers()) co_return fail(Code::kUnavailable, "no tier answers");
    if (index % kChunksPerLook == kChunksPerLook - 1 && CO_TRY(co_await has_changed(files_[file]))) {
      files_[file].outdated = true;
      co_return Result<void>();
    }
    const uint64_t offset = index * options_.chunk_bytes;
    const size_t size = std::min(options_.chunk_bytes, bytes - offset);
    const bool is_hole = co_await data.is_hole(offset, size);
    CO_TRY(co_await spend(is_hole ? 0 : size));
    std::string chunk;
    if (!is_hole) chunk = CO_TRY(co_await read_chunk(object->file(), offset, size));
    if (!is_hole && chunk.size() < size) files_[file].outdated = true;
    if (files_[file].outdated) co_return Result<void>();
    const uint64_t checksum = is_hole ? data.hole_checksum(size) : checksum64(chunk);
    const meta::Chunk* known = CO_TRY(co_await recorded.find(ChunkIndex(index)));
    Reach reach = Reach::kElsewhere;
    if (known != nullptr && known->bytes == size && known->checksum == checksum)
      reach = CO_TRY(co_await bring_to(file, known->blob));
    note_reach(file, reach);
    if (reach != Reach::kElsewhere) {
      ++summary_.unchanged;
      note_handled(size);
      if (is_hole) co_await io::stand_back();  // nothing else of it may have waited
      continue;
    }
    if (is_hole) chunk.assign(size, '\0');
    CO_TRY(co_await add_chunk(file, ChunkIndex(index), std::move(chunk)));
  }
  co_return co_await expect_all_there(file, object->file());
}

io::Task<Result<void>> UploadPass::spend(uint64_t bytes) {
  pace_.change(limits_.rate_now ? limits_.rate_now() : 0);
  if (!co_await pace_.spend(bytes, token_)) co_return fail(Code::kInterrupted, "the upload was stopped");
  co_return Result<void>();
}

io::Task<Result<void>> UploadPass::add_chunk(size_t file, ChunkIndex index, std::string bytes) {
  CO_TRY(expect_room_for_another(files_[file]));
  const uint32_t skip = files_[file].skip;
  std::string content;
  if (hasher_) content = co_await parts_.pool.run([&] { return hasher_->hash(bytes, skip); });
  if (!content.empty() && CO_TRY(co_await share(file, index, content, bytes))) {
    note_handled(bytes.size());
    co_return Result<void>();
  }
  if (packing_ && (packing_->skip != skip || !packing_->writer.has_room_for(bytes.size()))) co_await send();
  if (!packing_) {
    packing_ = std::make_unique<Packing>(
        BlobWriter(BlobId::make(parts_.random), options_.codec, options_.key, options_.block_bytes), skip);
    const std::string name = name_of(packing_->writer.id());
    packing_->held = BlobsUnderWay::Hold(memory_.under_way, name);
    underway_.emplace(name, packing_.get());
  }
  BlobWriter& writer = packing_->writer;
  const FrameId id{files_[file].inode, index, files_[file].generation};
  const FrameRef ref = CO_TRY(co_await parts_.pool.run([&] { return writer.append(id, bytes); }));
  meta::Chunk chunk{.index = index,
                    .version = id.version,
                    .bytes = static_cast<uint32_t>(bytes.size()),
                    .checksum = ref.plain_checksum,
                    .blob = name_of(writer.id()),
                    .offset = ref.offset,
                    .frame_bytes = ref.bytes,
                    .blocks = ref.blocks};
  if (!content.empty()) note_frame(content, files_[file].inode, chunk);
  pack(*packing_, file, std::move(chunk), std::move(content));
  packing_->bytes += bytes.size();
  ++summary_.chunks;
  summary_.chunk_bytes += bytes.size();
  co_return Result<void>();
}

void UploadPass::pack(Packing& packing, size_t file, meta::Chunk chunk, std::string content) {
  if (packing.add(file, std::move(chunk), std::move(content))) ++files_[file].outstanding;
}

// Waits while too many are on their way: that is what bounds memory.
io::Task<void> UploadPass::send() {
  if (!packing_) co_return;
  co_await in_flight_.acquire();
  io::detach(put_blob(std::move(packing_), gate_.enter()));
}

io::Task<void> UploadPass::put_blob(std::unique_ptr<Packing> packing, io::Gate::Entry) {
  const BlobsUnderWay::Hold held = std::move(packing->held);
  const std::string name = name_of(packing->writer.id());
  Result<void> done = co_await put_to_tiers(*packing);
  note_handled(packing->bytes);
  underway_.erase(name);  // from here on nothing is added to its parts
  if (!done) frames_.forget_blob(name);
  if (done) done = co_await record(*packing);
  if (!done) note_failure(done.error());
  // Where a tier lacks the blob, its chunks are recorded all the same: it gets the blob from those that have it.
  if (!done || packing->lacking != 0)
    for (const Part& part : packing->parts) {
      files_[part.file].failed = true;
      files_[part.file].lacking |= packing->lacking;
      files_[part.file].only_waits &= done.has_value();
    }
  in_flight_.release();
  for (const Part& part : packing->parts) {
    Result<void> finished = co_await count_down(files_[part.file]);
    if (!finished && finished_) finished_ = std::move(finished);
  }
}

io::Task<Result<void>> UploadPass::record(const Packing& packing) {
  for (const Part& part : packing.parts) {
    File& file = files_[part.file];
    if (file.replaces) {
      hold(file, name_of(packing.writer.id()));
      file.records.append(part.records);
      continue;
    }
    failpoint("upload.before_chunks");
    for (size_t at = 0; at < part.records.chunks.size(); at += kChunksPerCommit) {
      Records some = part.records.slice(at, kChunksPerCommit);
      (void)CO_TRY(co_await commit(file, {.chunks = std::move(some.chunks), .contents = std::move(some.contents)}));
    }
    failpoint("upload.after_chunks");
  }
  co_return Result<void>();
}

io::Task<Result<bool>> UploadPass::commit(File& file, meta::Upload upload) {
  upload.inode = file.inode;
  upload.generation = file.generation;
  upload.only_current = options_.only_current;
  upload.at_rest = file.at_rest;
  const Result<bool> committed = co_await parts_.tiering.commit_upload(upload);
  const bool outdated = !committed && committed.error() == Code::kBusy;
  file.outdated |= outdated;
  if (outdated) co_return false;
  co_return committed;
}

io::Task<Result<bool>> UploadPass::commit_whole(File& file, bool lagging) {
  co_return co_await commit(file, {.chunks = std::move(file.records.chunks),
                                   .contents = std::move(file.records.contents),
                                   .complete = true,
                                   .chunk_count = file.chunk_count,
                                   .bytes = file.bytes,
                                   .lagging = lagging});
}

io::Task<Result<void>> UploadPass::finish_failed(File& file) {
  ++summary_.failed;
  if (!file.read || !file.only_waits) co_return Result<void>();
  if ((file.lacking & late_) != 0) ++summary_.late;
  if (!beside_) memory_.waiting.note(file.inode, {file.generation, file.lacking, memory_.late.mark()});
  const bool last_answers = (out_of_reach_ >> (parts_.tiers.size() - 1) & 1) == 0;
  const bool changed = !file.records.chunks.empty() || file.recorded_bytes != file.bytes;
  if (!file.hot || !last_answers || !changed) co_return Result<void>();
  const Result<bool> current = co_await commit_whole(file, /*lagging=*/true);
  if (!current && is_of_the_file(current.error())) {
    forget_waiting(file);
    note_refused(file, current.error());
    co_return Result<void>();
  }
  CO_TRY(Result<bool>(current));
  if (file.outdated) note_outdated(file);
  co_return Result<void>();
}

io::Task<Result<void>> UploadPass::count_down(File& file) {
  if (--file.outstanding > 0) co_return Result<void>();
  Result<void> done = co_await finish(file);
  file.records = {};
  file.held.clear();
  co_return done;
}

io::Task<Result<void>> UploadPass::finish(File& file) {
  if (!file.outdated && !file.ends()) {
    end_turn(file);
    co_return Result<void>();
  }
  if (!file.outdated && (file.failed || !file.read)) co_return co_await finish_failed(file);
  failpoint("upload.before_complete");
  const Result<bool> current = file.outdated ? false : co_await commit_whole(file, /*lagging=*/false);
  if (!current && is_of_the_file(current.error())) {
    note_refused(file, current.error());
    ++summary_.failed;
    co_return Result<void>();
  }
  if (CO_TRY(Result<bool>(current))) {
    ++summary_.files;
    summary_.file_bytes += file.bytes;
    memory_.order.forget(file.inode);
    forget_waiting(file);
    note_current(file);
  } else if (!file.leaves) {
    ++summary_.postponed;
  }
  if (file.outdated) note_outdated(file);
  if (file.outdated) ++summary_.outdated;
  failpoint("upload.after_complete");
  co_return Result<void>();
}

void UploadPass::forget_waiting(const File& file) {
  if (!beside_) memory_.waiting.forget(file.inode);
}

void UploadPass::note_refused(const File& file, const Status& why) {
  if (why != Code::kInvalid) return note_failure(of_file(why, file.inode));
  if (!beside_) memory_.refused[file.inode] = file.generation;
  note_refusal(of_file(why, file.inode));
}

void UploadPass::note_refusal(const Status& why) {
  if (!summary_.first_failure.ok()) return;
  summary_.first_failure = why;
  summary_.only_refused = true;
}

// What may be well another time is told rather than what will not.
void UploadPass::note_failure(const Status& failure) {
  if (summary_.first_failure.ok() || summary_.only_refused) summary_.first_failure = failure;
  summary_.only_refused = false;
}

}  // namespace firn::tier
