// TLS material from PEM files, for both ends.
#ifndef DOVETAIL_COMMON_RPC_TLS_H_
#define DOVETAIL_COMMON_RPC_TLS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::rpc {

// Files in PEM. All empty: no TLS.
struct TlsOptions {
  // Authorities the other end's certificate must come from. Client: empty takes the system's.
  // Server: set, it asks every client for a certificate (mutual TLS).
  std::string ca_file;
  // This end's certificate chain and key. A server needs both; a client for mutual TLS.
  std::string certificate_file;
  std::string key_file;
  // Client: speak TLS with the system's authorities and no files of one's own.
  bool use_system_authorities = false;

  bool enabled() const {
    return use_system_authorities || !ca_file.empty() || !certificate_file.empty() ||
           !key_file.empty();
  }
};

struct TlsMaterial {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};

// Errors: NotFound / PermissionDenied: a file cannot be read; InvalidArgument: it is not PEM, or a
// certificate comes without its key.
absl::StatusOr<TlsMaterial> LoadTls(const TlsOptions& options);

// The first line of a file, blanks trimmed.
// Errors: NotFound; PermissionDenied; InvalidArgument: empty.
absl::StatusOr<std::string> ReadTokenFile(const std::string& file);

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_TLS_H_
