// What the workload writes: every aligned 8 bytes say which file, which write of that file and which place they
// belong to, scrambled so that no two look alike. Bytes that turn up where they do not belong name their origin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace firn::crash {

struct Stamp {
  uint32_t file = 0;     // the workload's own number of the file, never reused; below 2^22
  uint32_t version = 0;  // the file's nth write, from 1; below 2^20
  uint64_t word = 0;     // offset / 8; below 2^22
};

uint64_t stamp_word(Stamp stamp);
// Fills `out`, which starts at byte `offset` of the file; neither needs to be aligned.
void fill_stamps(std::span<std::byte> out, uint32_t file, uint32_t version, uint64_t offset);
// The stamp that `word` carries; nothing when it cannot be one that this workload wrote (a guess, right nearly always).
std::optional<Stamp> read_stamp(uint64_t word);

}  // namespace firn::crash
