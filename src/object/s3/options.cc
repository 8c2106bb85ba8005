#include <algorithm>

#include "object/s3/endpoint.h"
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

Result<std::string> checked_prefix(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return std::string();
  if (Status checked = check_key(prefix); !checked.ok())
    return fail(Code::kInvalid, "the prefix \"" + std::string(prefix) + "\" may have letters, digits, - _ . and /");
  return std::string(prefix);
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
  options.endpoint = TRY(s3::configured_endpoint("s3", environment));
  options.region = s3::chosen_region(environment);
  options.path_style = !options.endpoint.empty();
  options.sign_payload = options.endpoint.starts_with("http://");
  options.http.ca_file = environment.get("AWS_CA_BUNDLE");
  return options;
}

}  // namespace firn::object
