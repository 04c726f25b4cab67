#include "common/rpc/tls.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::rpc {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& file, absl::string_view what) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (!stream) {
    const int error = errno;
    const std::string message =
        absl::StrCat("cannot read the ", what, " ", file, ": ", std::strerror(error));
    return error == EACCES ? absl::PermissionDeniedError(message) : absl::NotFoundError(message);
  }
  return text.str();
}

absl::StatusOr<std::string> ReadPem(const std::string& file, absl::string_view what) {
  if (file.empty()) return std::string();
  ASSIGN_OR_RETURN(std::string pem, ReadFile(file, what));
  if (!absl::StrContains(pem, "-----BEGIN ")) {
    return absl::InvalidArgumentError(absl::StrCat("the ", what, " ", file, " is not PEM"));
  }
  return pem;
}

}  // namespace

absl::StatusOr<TlsMaterial> LoadTls(const TlsOptions& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError(
        "TLS needs the certificate and its key together: give both files or neither");
  }
  TlsMaterial material;
  ASSIGN_OR_RETURN(material.ca_pem, ReadPem(options.ca_file, "TLS authority file"));
  ASSIGN_OR_RETURN(material.certificate_pem,
                   ReadPem(options.certificate_file, "TLS certificate file"));
  ASSIGN_OR_RETURN(material.key_pem, ReadPem(options.key_file, "TLS key file"));
  return material;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, "token file"));
  const std::string token(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
  if (token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the token file ", file, " is empty"));
  }
  for (const char c : token) {
    if (!absl::ascii_isgraph(c)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token file ", file, " has a blank or control character in its token"));
    }
  }
  return token;
}

}  // namespace dovetail::rpc
