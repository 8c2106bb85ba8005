// What man pages tell besides the commands: exit codes, the environment, files.
#pragma once

#include <string>
#include <vector>

namespace firn::cli {

struct Fact {
  std::string name, text;
  // A command's page has the fact if the command's own texts have one of these words. firn(1) has all facts.
  std::vector<std::string> told_by;
};

const std::vector<Fact>& exit_codes();
const std::vector<Fact>& environment_variables();
const std::vector<Fact>& files_used();

// "0 done; 1 ...".
std::string exit_codes_line();

}  // namespace firn::cli
