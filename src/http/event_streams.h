// http::EventStreams: those who follow a volume's changes.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "http/event_cursor.h"
#include "http/exchange.h"
#include "io/sync.h"
#include "meta/event_log.h"
#include "meta/event_paths.h"

namespace firn::http {

// Each stream reads the log itself, at the pace of its client, so nothing is queued for any of them; one timer, that
// runs while there are streams, wakes those that have seen all.
// Thread-safe; a stream is on the reactor of its exchange. Outlives the exchanges.
class EventStreams {
 public:
  EventStreams(meta::EventLog& log, unsigned most) : log_(log), paths_(log), most_(most) {}

  meta::EventLog& log() { return log_; }
  EventCursor cursor_at(uint64_t sequence) const { return {log_.id(), sequence}; }

  struct Query {
    uint64_t after = 0;  // the last event that was seen; durable, or just before the oldest
    std::string folder;  // "/a/b"; empty: the whole volume
    bool follow = true;  // else ends with what is there
  };
  // Answers with server-sent events. Ends when the server stops, after some minutes, so that a right that was withdrawn
  // ends, and when the client is so slow that events were discarded before it took them.
  io::Task<Result<void>> answer(Exchange& exchange, Query query);

  // After the servers have stopped.
  io::Task<void> stop();

 private:
  struct Stream;
  struct Page {
    std::string text;
    uint64_t last = 0;  // the last event that it is about, shown or not
    bool more = false;
  };
  // False: there are as many as there may be.
  bool add(Stream& stream);
  void remove(Stream& stream);
  io::Task<Result<void>> run(Stream& stream);
  io::Task<Result<Page>> read(const Stream& stream, uint64_t through);
  io::Task<Result<bool>> wait(Stream& stream);
  io::Task<Result<void>> say_expired(Exchange& exchange);
  io::Task<void> tick(io::Gate::Entry entry);
  // False: there is nobody to be woken any more.
  bool wake_streams();

  meta::EventLog& log_;
  io::Mutex paths_mutex_;
  meta::EventPaths paths_;
  const unsigned most_;
  std::mutex streams_mutex_;  // guards what follows, and who waits
  std::vector<Stream*> streams_;
  bool ticking_ = false;
  io::Gate gate_;
};

// The answer to a cursor that this log cannot go on from: 410, and where it begins.
Response cursor_expired(const EventStreams& streams, uint64_t oldest, std::string_view why);

}  // namespace firn::http
