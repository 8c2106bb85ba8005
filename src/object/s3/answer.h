// What an S3 server's refusal means.
#pragma once

#include <string>

#include "base/status.h"
#include "object/s3/http_client.h"

namespace firn::object::s3 {

// The text of the first element `name` of an XML answer, with the five predefined entities resolved; "" without one.
std::string xml_text(std::string_view xml, std::string_view name);

// What to do about an answer that is no success. Source: "Error responses", Amazon S3 API Reference.
enum class Remedy : uint8_t { kNone, kRenewCredentials, kCorrectClock };

struct Refusal {
  Status status;
  Remedy remedy = Remedy::kNone;
};

// `what`: "get KEY from STORE", for the message. `answer` is any answer but 2xx.
Refusal refusal(const HttpResponse& answer, const std::string& what);

}  // namespace firn::object::s3
