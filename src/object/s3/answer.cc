#include "object/s3/answer.h"

#include <array>
#include <utility>

namespace firn::object::s3 {

namespace {

struct Known {
  std::string_view code;  // the <Code> of the answer
  Code meaning;
  Remedy remedy = Remedy::kNone;
};

constexpr std::array kKnown = {
    Known{"NoSuchKey", Code::kNotFound},
    Known{"NoSuchBucket", Code::kNoDevice},
    Known{"PreconditionFailed", Code::kExists},
    // Two conditional writes at once: neither has failed for good.
    Known{"ConditionalRequestConflict", Code::kUnavailable},
    Known{"OperationAborted", Code::kUnavailable},
    Known{"SlowDown", Code::kUnavailable},
    Known{"RequestTimeout", Code::kUnavailable},
    Known{"BadDigest", Code::kUnavailable},  // damaged on its way
    Known{"XAmzContentSHA256Mismatch", Code::kUnavailable},
    Known{"IncompleteBody", Code::kUnavailable},
    Known{"ExpiredToken", Code::kAccessDenied, Remedy::kRenewCredentials},
    Known{"TokenRefreshRequired", Code::kAccessDenied, Remedy::kRenewCredentials},
    Known{"InvalidToken", Code::kAccessDenied, Remedy::kRenewCredentials},
    Known{"InvalidAccessKeyId", Code::kAccessDenied, Remedy::kRenewCredentials},
    Known{"XAdminUserNotFound", Code::kAccessDenied, Remedy::kRenewCredentials},  // versitygw's word for it
    Known{"RequestTimeTooSkewed", Code::kInvalid, Remedy::kCorrectClock},
    Known{"QuotaExceeded", Code::kNoSpace},
    Known{"EntityTooLarge", Code::kInvalid},
    Known{"NotImplemented", Code::kNotSupported},
};

Code meaning_of(const HttpResponse& answer) {
  const long status = answer.status;
  // Whoever else is not found, or says so in a page of its own, has told nothing of the object.
  if (status == 404) return answer.body.empty() ? Code::kNotFound : Code::kInvalid;
  if (status == 412) return Code::kExists;
  if (status == 401 || status == 403) return Code::kAccessDenied;
  if (status == 507) return Code::kNoSpace;
  if (status == 501) return Code::kNotSupported;
  if (status == 408 || status == 409 || status == 429 || status >= 500) return Code::kUnavailable;
  return Code::kInvalid;
}

std::string unescape(std::string text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
      {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}}};
  for (const auto& [entity, character] : kEntities)
    for (size_t at = text.find(entity); at != std::string::npos; at = text.find(entity, at + 1))
      text.replace(at, entity.size(), 1, character);
  return text;
}

// Another region, or another endpoint.
Status moved(const HttpResponse& answer, const std::string& what) {
  std::string region(answer.header("x-amz-bucket-region"));
  if (region.empty()) region = xml_text(answer.body, "Region");
  return Status(Code::kInvalid, what + ": the bucket is elsewhere" +
                                    (region.empty() ? "" : ", in region " + region + ": set AWS_REGION to it"));
}

}  // namespace

std::string xml_text(std::string_view xml, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">";
  const size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return "";
  const size_t end = xml.find('<', begin + open.size());
  if (end == std::string_view::npos) return "";
  return unescape(std::string(xml.substr(begin + open.size(), end - begin - open.size())));
}

Refusal refusal(const HttpResponse& answer, const std::string& what) {
  const std::string code = xml_text(answer.body, "Code");
  if (code == "PermanentRedirect" || code == "TemporaryRedirect" || code == "AuthorizationHeaderMalformed" ||
      (answer.status >= 300 && answer.status < 400))
    return {moved(answer, what)};
  Refusal refusal{Status(meaning_of(answer))};
  for (const Known& known : kKnown)
    if (known.code == code) refusal = {Status(known.meaning), known.remedy};
  std::string why = "HTTP status " + std::to_string(answer.status);
  if (!code.empty()) why += ", " + code;
  if (const std::string message = xml_text(answer.body, "Message"); !message.empty()) why += ": " + message;
  if (refusal.remedy == Remedy::kCorrectClock) why += "; the clock of this machine or of the server is wrong";
  refusal.status = Status(refusal.status.code(), what + ": " + why);
  return refusal;
}

}  // namespace firn::object::s3
