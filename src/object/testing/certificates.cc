#include "object/testing/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "base/check.h"

namespace firn::object::testing {

namespace {

constexpr long kDaySeconds = 24 * 60 * 60;
constexpr long kX509Version3 = 2;

using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

PrivateKey make_private_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

void extend(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  CHECK(extension != nullptr);
  CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Without an issuer: signed with its own key.
Certificate make_certificate(long serial, const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate made(X509_new(), &X509_free);
  X509* const certificate = made.get();
  X509_set_version(certificate, kX509Version3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kDaySeconds);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509* const signer = issuer ? issuer : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  extend(certificate, signer, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
  if (issuer) extend(certificate, signer, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  CHECK(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
  return made;
}

File create(const std::string& path) {
  File file(std::fopen(path.c_str(), "w"), &std::fclose);
  CHECK(file != nullptr);
  return file;
}

}  // namespace

Certificates make_certificates(const std::string& folder) {
  Certificates paths{folder + "/authority.pem", folder + "/server.pem", folder + "/server.key"};
  const PrivateKey authority_key = make_private_key(), server_key = make_private_key();
  const Certificate authority =
      make_certificate(1, "firn test authority", authority_key.get(), nullptr, authority_key.get());
  const Certificate server =
      make_certificate(2, "firn test server", server_key.get(), authority.get(), authority_key.get());
  CHECK(PEM_write_X509(create(paths.authority).get(), authority.get()) == 1);
  CHECK(PEM_write_X509(create(paths.certificate).get(), server.get()) == 1);
  CHECK(PEM_write_PrivateKey(create(paths.key).get(), server_key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return paths;
}

}  // namespace firn::object::testing
