// Certificates for a TLS server on loopback, and the authority that has signed them, made anew for a test.
#pragma once

#include <string>

namespace firn::object::testing {

// PEM files.
struct Certificates {
  std::string authority;    // what a client must trust
  std::string certificate;  // of 127.0.0.1
  std::string key;
};

// Writes them into `folder`.
Certificates make_certificates(const std::string& folder);

}  // namespace firn::object::testing
