// Scrubbing a test's world.
#pragma once

#include "tier/scrubber.h"
#include "tier/test_world.h"

namespace firn::tier::testing {

inline io::Task<Result<bool>> at_rest(World* world, InodeId inode, AtRest then) {
  const meta::Attr attr = CO_TRY(co_await world->meta->getattr(inode));
  const data::ObjectRef object = CO_TRY(co_await world->data->open(attr.content.backing));
  CO_TRY(co_await then(attr, *object));
  co_return true;
}

inline Scrubber make_scrubber(World& world, ScrubOptions options = {}) {
  options.chunk_bytes = world.options.chunk_bytes;
  options.key = world.options.key;
  options.with_file_at_rest = [&world](InodeId inode, AtRest then) { return at_rest(&world, inode, std::move(then)); };
  return Scrubber(
      {*world.meta, *world.meta, *world.data, *world.pool, *world.random, world.tiers(), &world.uploader->under_way()},
      options);
}

inline ScrubReport scrub_cold(World& world, ScrubOptions options = {}) {
  Scrubber scrubber = make_scrubber(world, std::move(options));
  std::string cursor;
  return world.run(scrubber.scrub_cold(&cursor, nullptr)).value();
}

inline ScrubReport scrub_hot(World& world, ScrubOptions options = {}) {
  Scrubber scrubber = make_scrubber(world, std::move(options));
  std::string cursor;
  return world.run(scrubber.scrub_hot(&cursor, nullptr)).value();
}

}  // namespace firn::tier::testing
