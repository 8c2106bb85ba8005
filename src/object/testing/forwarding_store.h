// A store that passes everything on to one that a test keeps hold of.
#pragma once

#include <memory>

#include "object/store.h"

namespace firn::object::testing {

class ForwardingStore : public ObjectStore {
 public:
  explicit ForwardingStore(ObjectStore& inner) : inner_(inner) {}
  ForwardingStore(const ForwardingStore&) = delete;  // would pass by what derives from it

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    return inner_.put(std::move(key), std::move(content), options, until);
  }
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    return inner_.get(std::move(key), offset, bytes, until);
  }
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    return inner_.head(std::move(key), until);
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    return inner_.remove(std::move(key), until);
  }
  std::string describe() const override { return inner_.describe(); }
  io::Task<void> close() override { return inner_.close(); }

 private:
  ObjectStore& inner_;
};

}  // namespace firn::object::testing
