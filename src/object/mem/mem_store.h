// An object store in memory: for tests and the simulator.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "object/store.h"

namespace firn::object {

class MemStore final : public ObjectStore {
 public:
  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override;
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override;
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override;
  io::Task<Result<void>> remove(std::string key, io::Until until) override;
  std::string describe() const override { return "memory"; }
  io::Task<void> close() override { co_return; }

  // For tests: what is there, and damage.
  std::map<std::string, uint64_t> sizes() const;
  // Replaces the object's bytes behind everybody's back; false when there is none.
  bool overwrite(const std::string& key, std::string bytes);

 private:
  using Bytes = std::shared_ptr<const std::string>;
  Bytes find(const std::string& key) const;

  mutable std::mutex objects_mutex_;
  std::map<std::string, Bytes> objects_;
};

}  // namespace firn::object
