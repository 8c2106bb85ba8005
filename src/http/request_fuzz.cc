// Any bytes as what a client sends, cut into two pieces anywhere: never a crash, a hang or an escape from the volume.
#include <cstdlib>

#include "http/api.h"
#include "http/server.h"
#include "http/testing/script_socket.h"
#include "vfs/test_world.h"

namespace firn::http {
namespace {

struct World {
  vfs::TestWorld world{1, true};
  metrics::Registry metrics;
  World() { CHECK(world.mount()); }
};

io::Task<std::string> no_status() { co_return "{}"; }

void serve(World& w, std::string text, size_t cut) {
  std::deque<Line> script;
  if (cut > 0) script.push_back({text.substr(0, cut)});
  if (cut < text.size()) script.push_back({text.substr(cut)});
  Api api({.volume = w.world.volume(), .metrics = w.metrics, .status = no_status, .stop = [] {}});
  Server server({.handler = [&api](Exchange& exchange) { return api.handle(exchange); }, .limits = {}});
  std::string reply;
  w.world.run(server.serve(std::make_unique<ScriptSocket>(std::move(script), Ending::kCloses, &reply), {}));
  CHECK(reply.empty() || reply.starts_with("HTTP/1.1 "));
}

}  // namespace
}  // namespace firn::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One volume for all inputs: what they leave behind makes later ones more interesting. A fresh one now and then.
  static firn::http::World* world = new firn::http::World;
  static int runs = 0;
  if (++runs % 2000 == 0) {
    CHECK(world->world.unmount());
    delete world;
    world = new firn::http::World;
  }
  if (size == 0 || size > 4096) return 0;
  firn::http::serve(*world, std::string(reinterpret_cast<const char*>(data) + 1, size - 1), data[0] % size);
  return 0;
}
