// What a command says on standard error: a line of text, or of JSON where the command line asks for JSON.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::cli {

// From here on the functions below print JSON. Before threads are started.
void print_errors_as_json();

// What does not end the command: "firn: MESSAGE" on one line; as JSON {"notice": MESSAGE}. Any thread.
void print_error(const std::string& message);
// What does: the same line; as JSON {"error": MESSAGE, "code": the code's name}.
void print_failure(const std::string& command, const Status& status);
// The same for a wrong command line, with the code "misuse"; yields the exit code for it.
int misuse(const std::string& message);

}  // namespace firn::cli
