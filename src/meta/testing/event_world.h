// A service with a log of events, and what the log says, as plain calls.
#pragma once

#include "meta/event_paths.h"
#include "meta/testing/fixture.h"

namespace firn::meta::testing {

class EventWorld {
 public:
  EventWorld(kv::Engine& engine, Clock& clock, EventLog::Options options = {}) : engine_(engine) {
    auto opened = run(EventLog::open(engine, options, system_random()));
    EXPECT_TRUE(opened) << opened.error().to_string();
    log_ = *std::move(opened);
    Options settings = small_options(clock, Kind::kMemOwned);
    settings.events = log_.get();
    volume_ = std::make_unique<Volume>(engine, settings);
    paths_ = std::make_unique<EventPaths>(*log_);
  }

  EventLog& log() { return *log_; }
  Volume& v() { return *volume_; }

  std::vector<LoggedEvent> events(uint64_t after = 0) {
    EXPECT_TRUE(run(log_->sync()));
    const auto transaction = engine_.begin();
    auto read = run(log_->read(*transaction, after, log_->durable(), 1'000'000));
    EXPECT_TRUE(read) << read.error().to_string();
    return read.value_or(std::vector<LoggedEvent>());
  }

  // "created /a/b", "renamed /a -> /b" ...: every event above `after`, with the paths of its time.
  std::vector<std::string> told(uint64_t after = 0) {
    std::vector<std::string> lines;
    const auto all = events(after);
    const auto transaction = engine_.begin();
    EXPECT_TRUE(run(paths_->catch_up(*transaction)));
    for (const LoggedEvent& one : all) {
      const auto path = [&](const EventPlace& place) {
        return run(paths_->path_of(*transaction, place, one.sequence))->value_or("?");
      };
      std::string line = name_of(one.event.kind) + " ";
      if (one.event.from.parent) line += path(one.event.from) + " -> ";
      lines.push_back(line + path(one.event.at));
    }
    return lines;
  }

 private:
  static std::string name_of(EventKind kind) {
    constexpr const char* kNames[] = {"",       "created", "removed",    "renamed", "exchanged",
                                      "linked", "content", "attributes", "xattr",   "policy"};
    return kNames[static_cast<size_t>(kind)];
  }

  kv::Engine& engine_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<EventPaths> paths_;
};

}  // namespace firn::meta::testing
