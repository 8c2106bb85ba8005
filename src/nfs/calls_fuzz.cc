// Any bytes as what a client sends, cut into two pieces anywhere: never a crash or a hang, and only replies come back.
// A handle in the input that is all 0xFF is replaced by the root's own, so that arguments are reached, too.
#include <algorithm>

#include "base/log.h"
#include "nfs/server.h"
#include "nfs/testing/memory_socket.h"
#include "vfs/test_world.h"

namespace firn::nfs {
namespace {

struct World {
  vfs::TestWorld world{1, true};
  vfs::AccessLog access_log;  // somebody reads it, so that arguments are read for it, too
  std::unique_ptr<Service> service;
  std::string root;

  World() {
    CHECK(world.mount());
    service = std::make_unique<Service>(ServiceOptions{.volume = world.volume(),
                                                       .exports = *Exports::parse({"/ *(no_root_squash,insecure)"}),
                                                       .secret = {},
                                                       .volume_id = 1,
                                                       .access_log = &access_log});
    access_log.open();
    const auto attr = world.run(world.volume().getattr(kRootInode));
    const HandleBytes handle = service->seal(service->exports().all().front().id, *attr);
    root.assign(reinterpret_cast<const char*>(handle.data()), handle.size());
  }
  ~World() {
    world.run(service->stop());
    CHECK(world.unmount());
  }
};

void serve(World& w, std::string text, size_t cut) {
  const std::string mark(kHandleBytes, '\xff');
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
    text.replace(at, mark.size(), w.root);
  std::string replies;
  Server server({.service = *w.service, .reactors = {}, .limits = {}});
  w.world.run(server.serve(
      std::make_unique<MemorySocket>(std::deque<std::string>{text.substr(0, cut), text.substr(cut)}, &replies),
      {.address = *parse_address("127.0.0.1"), .port = 1, .name = "fuzzer"}));
  CHECK(replies.empty() || (replies.size() >= 24 && (static_cast<uint8_t>(replies[0]) & 0x80) != 0));
}

}  // namespace
}  // namespace firn::nfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One volume for all inputs: what they leave behind makes later ones more interesting. A fresh one now and then.
  static auto* world = new firn::nfs::World;
  static int runs = 0;
  firn::log::set_level(firn::log::Level::kOff);
  if (++runs % 2000 == 0) {
    delete world;
    world = new firn::nfs::World;
  }
  if (size == 0 || size > 4096) return 0;
  firn::nfs::serve(*world, std::string(reinterpret_cast<const char*>(data) + 1, size - 1), data[0] % size);
  return 0;
}
