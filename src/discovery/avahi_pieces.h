// Owners of libavahi-client's objects. To be used on the thread of the poll that they were made with.
#pragma once

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/error.h>
#include <avahi-common/simple-watch.h>
#include <avahi-common/strlst.h>

#include <memory>
#include <string>
#include <vector>

namespace firn::discovery {

template <auto kFree>
struct FreedBy {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using SimplePoll = std::unique_ptr<AvahiSimplePoll, FreedBy<avahi_simple_poll_free>>;
using Client = std::unique_ptr<AvahiClient, FreedBy<avahi_client_free>>;
using ServiceBrowser = std::unique_ptr<AvahiServiceBrowser, FreedBy<avahi_service_browser_free>>;
using ServiceResolver = std::unique_ptr<AvahiServiceResolver, FreedBy<avahi_service_resolver_free>>;
using StringList = std::unique_ptr<AvahiStringList, FreedBy<avahi_string_list_free>>;

inline StringList string_list(const std::vector<std::string>& texts) {
  AvahiStringList* list = nullptr;
  // Each goes before the last.
  for (auto text = texts.rbegin(); text != texts.rend(); ++text)
    list = avahi_string_list_add_arbitrary(list, reinterpret_cast<const uint8_t*>(text->data()), text->size());
  return StringList(list);
}

inline std::vector<std::string> texts_of(const AvahiStringList* list) {
  std::vector<std::string> texts;
  for (; list; list = list->next) texts.emplace_back(reinterpret_cast<const char*>(list->text), list->size);
  return texts;
}

}  // namespace firn::discovery
