#include "tier/scrubber.h"

#include "base/failpoint.h"
#include "io/reactor.h"
#include "tier/nearest_holder.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 64;           // blobs whose records are read at once
constexpr size_t kMaxHopeless = 1024;  // blobs that one walk over the chunk records rescues

}  // namespace

Scrubber::Scrubber(Parts parts, ScrubOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      hydrator_({parts_.meta, parts_.tiering, parts_.pool, parts_.tiers}, {.chunk_bytes = options_.chunk_bytes,
                                                                           .key = options_.key,
                                                                           .get_ns = options_.get_ns,
                                                                           .readahead = {.cache_bytes = 0}}),
      pace_(options_.bytes_per_s) {}

io::Task<Result<ScrubReport>> Scrubber::scrub_cold(std::string* cursor, io::CancelToken* token) {
  token_ = token;
  report_ = {};
  hopeless_.clear();
  std::string after;
  if (!cursor->empty()) after = name_of(CO_TRY(blob_id_of_hex(*cursor)));
  for (;;) {
    const std::vector<meta::Blob> page = CO_TRY(co_await parts_.tiering.list_blobs(after, kPage));
    for (const meta::Blob& blob : page) {
      CO_TRY(co_await scrub_blob(blob));
      // Not before the rescue of what was found before it.
      if (hopeless_.empty()) *cursor = to_hex(blob_id_of_name(blob.name));
    }
    if (hopeless_.size() >= kMaxHopeless || page.size() < kPage) CO_TRY(co_await rescue());
    if (page.size() < kPage) break;
    after = page.back().name;
  }
  cursor->clear();
  co_return std::move(report_);
}

io::Task<Result<void>> Scrubber::scrub_blob(meta::Blob blob) {
  const uint32_t tiers = blob.tiers & all_of(parts_.tiers);
  if (tiers == 0 || blob.dead_since || blob.is_given_up()) co_return Result<void>();
  ++report_.blobs;
  std::vector<size_t> damaged;
  bool sound = false, unknown = false;
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    if ((tiers >> i & 1) == 0) continue;
    const Verdict verdict = CO_TRY(co_await look_at(blob, i));
    sound |= verdict == Verdict::kSound;
    unknown |= verdict == Verdict::kUnknown;
    if (verdict == Verdict::kDamaged) damaged.push_back(i);
  }
  if (!options_.repair) co_return Result<void>();
  for (const size_t tier : damaged) {
    if (!sound) break;
    Result<void> done = co_await put_again(blob, tier, token_);
    if (cancelled()) co_return fail(Code::kInterrupted);
    if (!done) {
      if (done.error() != Code::kStale) note_failure(std::move(done).error());
      continue;
    }
    ++report_.repaired;
    for (ScrubFinding& finding : report_.findings)
      if (finding.blob == blob.name && finding.tier == parts_.tiers[tier].name) finding.repaired = true;
  }
  // A tier that will answer again may have it.
  if (damaged.empty() || sound || unknown) co_return Result<void>();
  CO_TRY(co_await distrust(blob.name));
  hopeless_.insert(blob.name);
  co_return Result<void>();
}

io::Task<Result<Scrubber::Verdict>> Scrubber::look_at(const meta::Blob& blob, size_t tier) {
  Result<BlobFindings> findings = co_await check(blob, tier, nullptr, token_);
  if (findings) note_bytes("cold", findings->bytes);
  // Bytes may have been damaged on their way: what is damaged where it lies is damaged again.
  if (findings && !findings->sound()) findings = co_await check(blob, tier, nullptr, token_);
  if (!findings) {
    if (cancelled()) co_return fail(Code::kInterrupted);
    ++report_.unanswered;
    note_failure(std::move(findings).error().with_context("tier " + parts_.tiers[tier].name));
    co_return Verdict::kUnknown;
  }
  ++report_.objects;
  report_.frames += findings->frames_checked;
  if (findings->sound()) {
    if ((blob.unsound >> tier & 1) != 0 || blob.damaged) CO_TRY(co_await judge(blob.name, tier, *findings));
    co_return Verdict::kSound;
  }
  // The collector may have come in between, or the tier have made room.
  const Result<meta::Blob> now = co_await parts_.tiering.get_blob(blob.name);
  if (!now && now.error() != Code::kNotFound) co_return fail(now.error());
  if (!now || now->dead_since || (now->left >> tier & 1) != 0) co_return Verdict::kNotThere;
  CO_TRY(co_await judge(blob.name, tier, *findings));
  ++report_.damaged;
  report_damage(blob, tier, *findings);
  co_return Verdict::kDamaged;
}

io::Task<Result<void>> Scrubber::judge(std::string name, size_t tier, const BlobFindings& findings) {
  const uint32_t bit = uint32_t{1} << tier;
  Result<void> done = findings.sound() ? co_await parts_.tiering.trust_copy(std::move(name), bit)
                                       : co_await parts_.tiering.distrust_copy(std::move(name), bit);
  // The collector was faster.
  if (!done && done.error() != Code::kNotFound) co_return done;
  co_return Result<void>();
}

io::Task<Result<BlobFindings>> Scrubber::check(const meta::Blob& blob, size_t tier, std::string* keep,
                                               io::CancelToken* token) {
  return check_object(parts_.tiers[tier].store, blob_id_of_name(blob.name), parts_.pool,
                      {.key = options_.key, .get_ns = options_.get_ns, .pace = &pace_, .keep = keep}, token);
}

void Scrubber::report_damage(const meta::Blob& blob, size_t tier, const BlobFindings& findings) {
  const std::string& name = parts_.tiers[tier].name;
  if (!findings.whole.ok()) add({.tier = name, .blob = blob.name, .what = findings.whole});
  for (const BlobFindings::Frame& frame : findings.frames)
    add({.tier = name,
         .blob = blob.name,
         .inode = frame.header.id.inode,
         .chunk = frame.header.id.chunk,
         .what = frame.what});
}

io::Task<Result<void>> Scrubber::put_again(const meta::Blob& blob, size_t tier, io::CancelToken* token) {
  const uint32_t bit = uint32_t{1} << tier;
  BlobsUnderWay::Hold held;  // before it is looked up, as that has it
  if (parts_.under_way != nullptr) held = BlobsUnderWay::Hold(*parts_.under_way, blob.name);
  const Result<meta::Blob> now = co_await parts_.tiering.get_blob(blob.name);
  if (!now && now.error() != Code::kNotFound) co_return fail(now.error());
  if (!now || now->dead_since) co_return fail(Code::kStale, "the blob was given up meanwhile");
  std::string bytes = CO_TRY(co_await read_sound(blob, blob.tiers & all_of(parts_.tiers) & ~bit, token));
  const BlobId id = blob_id_of_name(blob.name);
  object::ObjectStore& store = parts_.tiers[tier].store;
  CO_TRY(co_await store.put(key_of(id), object::Content(std::move(bytes)), {}, io::within(options_.put_ns, token)));
  failpoint("repair.before_confirm");
  // Should the collector have removed the blob meanwhile, it is to remove it again.
  CO_TRY(co_await parts_.tiering.confirm_blob(blob.name, bit));
  // A store that has lost or damaged it once is not taken at its word.
  const BlobFindings again = CO_TRY(co_await check(blob, tier, nullptr, token));
  CO_TRY(co_await judge(blob.name, tier, again));
  if (again.sound()) co_return Result<void>();
  co_return fail(Code::kIo, "tier " + parts_.tiers[tier].name + " does not keep what is put there again");
}

io::Task<Result<std::string>> Scrubber::read_sound(const meta::Blob& blob, uint32_t tiers, io::CancelToken* token) {
  const std::string key = key_of(blob_id_of_name(blob.name));
  Status failure(Code::kCorrupt, "no tier has the whole blob");
  for (uint32_t left = tiers; left != 0;) {
    std::vector<TierOrder::Failure> failures;
    const auto holder = co_await nearest_holder(hydrator_.order(), parts_.tiers, left, key, failures, token);
    if (!holder && failures.empty()) co_return fail(Code::kInterrupted);
    for (TierOrder::Failure& one : failures) {
      left &= ~(uint32_t{1} << one.tier);
      if (!is_damage(one.what.code())) failure = std::move(one.what);
    }
    if (!holder) continue;
    left &= ~(uint32_t{1} << *holder);
    std::string bytes;
    const Result<BlobFindings> source = co_await check(blob, *holder, &bytes, token);
    if (source && source->sound()) co_return bytes;
    if (!source) failure = source.error();
  }
  co_return fail(std::move(failure));
}

io::Task<Result<void>> Scrubber::repair_blob(std::string name, std::string tier, io::CancelToken* token) {
  const meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(name));
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    if (parts_.tiers[i].name != tier) continue;
    if ((blob.tiers >> i & 1) == 0 || blob.dead_since) break;
    const BlobFindings findings = CO_TRY(co_await check(blob, i, nullptr, token));
    CO_TRY(co_await judge(name, i, findings));
    if (findings.sound()) co_return Result<void>();
    co_return co_await put_again(blob, i, token);
  }
  co_return fail(Code::kNotFound, "the tier need not have the blob");
}

void Scrubber::add(ScrubFinding finding) {
  if (report_.findings.size() < options_.max_findings) {
    report_.findings.push_back(std::move(finding));
  } else {
    ++report_.findings_dropped;
  }
}

void Scrubber::note_failure(Status failure) {
  if (report_.first_failure.ok()) report_.first_failure = std::move(failure);
}

void Scrubber::note_bytes(std::string_view what, uint64_t bytes) {
  report_.bytes += bytes;
  if (options_.progress) options_.progress(what, report_.bytes);
}

}  // namespace firn::tier
