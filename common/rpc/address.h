// Where a server listens or a client connects: "unix:/path" or "host:port".
// Called by channels, servers and the command line. Opens nothing.
#ifndef DOVETAIL_COMMON_RPC_ADDRESS_H_
#define DOVETAIL_COMMON_RPC_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::rpc {

struct Address {
  std::string unix_path;  // non-empty: a Unix socket, host and port unused
  std::string host;       // without brackets
  int port = 0;           // 0: any free one (servers only)

  bool is_unix() const { return !unix_path.empty(); }
  // A Unix socket or loopback: what may be spoken without TLS.
  bool is_local() const;
  // As gRPC wants it: "unix:/run/x", "127.0.0.1:50051", "[::1]:50051".
  std::string ToText() const;
};

// Errors: InvalidArgument: neither form, a port outside 0..65535, a socket path longer than the
// 107 bytes that the kernel takes.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_ADDRESS_H_
