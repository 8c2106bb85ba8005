// An object store in an S3 bucket, or in what speaks its protocol.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/blocking_pool.h"
#include "object/s3/credentials.h"
#include "object/s3/http_client.h"
#include "object/store.h"

namespace firn::object {

struct S3Options {
  std::string bucket;
  std::string prefix;    // of every key, without slashes around it; may be empty
  std::string endpoint;  // "https://host[:port]"; empty: Amazon's, of the region
  std::string region;
  // https://endpoint/bucket/key instead of https://bucket.endpoint/key.
  bool path_style = true;
  // A digest of every body goes into its request's signature. Costs a pass over the bytes; without it a body is
  // protected by TLS alone.
  bool sign_payload = true;
  s3::HttpOptions http;
  // Called for each request beyond a call's first: a second one after a remedy (new credentials, the server's clock),
  // or one that asks for an object's size. May be empty.
  std::function<void(Kind)> on_further_request;
};

// "s3://bucket/prefix", with the rest from the environment: AWS_ENDPOINT_URL_S3 and others (s3/endpoint.h), AWS_REGION
// or AWS_DEFAULT_REGION (else the profile's, else us-east-1), AWS_CA_BUNDLE. kInvalid: not such a URL.
Result<S3Options> s3_options(std::string_view url, const s3::Environment& environment);

// Credentials come from the standard chain (credentials.h). `pool` is used to digest large bodies, and must outlive the
// store.
std::unique_ptr<ObjectStore> open_s3_store(S3Options options, const s3::Environment& environment,
                                           io::BlockingPool& pool);

}  // namespace firn::object
