#include "object/s3/endpoint.h"

#include <initializer_list>

#include "object/s3/credentials.h"
#include "object/s3/profile.h"

namespace firn::object::s3 {

namespace {

std::string first_of(std::initializer_list<std::string> choices) {
  for (const std::string& choice : choices)
    if (!choice.empty()) return choice;
  return "";
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

Result<std::string> configured_endpoint(const std::string& service, const Environment& environment) {
  const SharedFiles files(environment);
  const Profile profile = files.profile(profile_name(environment));
  std::string of_services;
  if (const std::string services = profile.get("services"); !services.empty())
    of_services = files.config_section("services " + services).value_or(Section())[service + ".endpoint_url"];
  std::string endpoint = first_of({environment.get("AWS_ENDPOINT_URL_" + upper(service)),
                                   environment.get("AWS_ENDPOINT_URL"), of_services, profile.get("endpoint_url")});
  if (endpoint.empty()) return endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool has_scheme = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!has_scheme || endpoint.find('/', endpoint.find("//") + 2) != std::string::npos)
    return fail(Code::kInvalid,
                "the " + upper(service) + " endpoint " + endpoint + " is not of the form https://host[:port]");
  return endpoint;
}

std::string amazon_endpoint(const std::string& service, const std::string& region) {
  return "https://" + service + "." + region + ".amazonaws.com" + (region.starts_with("cn-") ? ".cn" : "");
}

std::string chosen_region(const Environment& environment) {
  return first_of({environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION"),
                   SharedFiles(environment).profile(profile_name(environment)).get("region"), "us-east-1"});
}

}  // namespace firn::object::s3
