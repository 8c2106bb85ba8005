// Credentials that a program prints: credential_process of a profile.
// Source: "Process credential provider", AWS SDKs and Tools Reference Guide.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/blocking_pool.h"
#include "object/s3/credentials.h"

namespace firn::object::s3 {

// The words of a command as the AWS tools see them, which use no shell: blanks separate; "..." and '...' hold together;
// a backslash takes the next character as it is, outside quotes, and between double ones before a double quote or a
// backslash. Nothing is expanded, nothing redirected. kInvalid: a quote is not closed, or nothing is there.
Result<std::vector<std::string>> split_command(std::string_view command);

// What such a program is to print: {"Version": 1, "AccessKeyId": "...", "SecretAccessKey": "...", "SessionToken":
// "...", "Expiration": "2026-01-02T03:04:05Z"}, the last two if it likes. kInvalid: something else, or they have
// expired. Messages tell nothing of what was printed.
Result<Credentials> parse_process_answer(const std::string& text, int64_t now_s);

// Runs the program on `pool`, for at most 30 s. kTimedOut: it did not end by then, or by `until`. kAccessDenied: it
// fails, or prints something else. The message says of which profile, and has the program's first line on stderr, but
// neither arguments nor output.
io::Task<Result<Credentials>> ask_credential_process(std::string command, std::string profile, Environment environment,
                                                     io::BlockingPool& pool, io::Until until);

}  // namespace firn::object::s3
