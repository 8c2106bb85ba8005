#include <algorithm>

#include "object/s3/profile.h"
#include "object/s3/s3_store.h"

namespace firn::object {

namespace {

constexpr std::string_view kScheme = "s3://";

// Source: "Bucket naming rules", Amazon S3 User Guide; other servers are a little more generous.
bool valid_bucket(std::string_view name) {
  if (name.size() < 3 || name.size() > 63 || name.front() == '.' || name.front() == '-') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

std::string first_of(std::initializer_list<std::string> choices) {
  for (const std::string& choice : choices)
    if (!choice.empty()) return choice;
  return "";
}

Result<std::string> checked_prefix(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return std::string();
  if (Status checked = check_key(prefix); !checked.ok())
    return fail(Code::kInvalid, "the prefix \"" + std::string(prefix) + "\" may have letters, digits, - _ . and /");
  return std::string(prefix);
}

Result<std::string> checked_endpoint(std::string endpoint) {
  if (endpoint.empty()) return endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool has_scheme = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!has_scheme || endpoint.find('/', endpoint.find("//") + 2) != std::string::npos)
    return fail(Code::kInvalid, "the S3 endpoint " + endpoint + " is not of the form https://host[:port]");
  return endpoint;
}

}  // namespace

Result<S3Options> s3_options(std::string_view url, const s3::Environment& environment) {
  if (!url.starts_with(kScheme))
    return fail(Code::kInvalid, std::string(url) + " is not of the form s3://bucket/prefix");
  const std::string_view rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  S3Options options{.bucket = std::string(rest.substr(0, slash))};
  if (!valid_bucket(options.bucket))
    return fail(Code::kInvalid, std::string(url) + ": \"" + options.bucket + "\" is not a bucket's name");
  options.prefix = TRY(checked_prefix(rest.substr(std::min(slash + 1, rest.size()))));
  s3::Section profile = s3::load_profile(environment);
  options.endpoint = TRY(checked_endpoint(first_of(
      {environment.get("AWS_ENDPOINT_URL_S3"), environment.get("AWS_ENDPOINT_URL"), profile["endpoint_url"]})));
  options.region =
      first_of({environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION"), profile["region"], "us-east-1"});
  options.path_style = !options.endpoint.empty();
  options.sign_payload = options.endpoint.starts_with("http://");
  options.http.ca_file = environment.get("AWS_CA_BUNDLE");
  return options;
}

}  // namespace firn::object
