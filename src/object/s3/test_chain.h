// ChainTest: a chain of credentials that reads files of the test's own, and asks servers on this machine.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "io/test_environment.h"
#include "object/s3/credentials.h"

namespace firn::object::s3 {

class ChainTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) { std::ofstream(environment->path(name)) << text; }
  // The files are "credentials" and "config"; the instance is not asked.
  Environment with(std::map<std::string, std::string> variables) {
    variables.emplace("AWS_SHARED_CREDENTIALS_FILE", environment->path("credentials"));
    variables.emplace("AWS_CONFIG_FILE", environment->path("config"));
    variables.emplace("AWS_EC2_METADATA_DISABLED", "true");
    return {.variables = std::move(variables)};
  }
  Result<Credentials> find(const Environment& where) {
    return environment->run(standard_chain(where, http, environment->pool())->get({}));
  }

  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  HttpClient http{{}};
};

}  // namespace firn::object::s3
