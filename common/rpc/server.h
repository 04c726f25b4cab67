// The server's end: listening, TLS, who is calling. Health and reflection are always on, so that
// stock clients work. Called by the coordinator's api. Knows no service.
#ifndef DOVETAIL_COMMON_RPC_SERVER_H_
#define DOVETAIL_COMMON_RPC_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/channel.h"
#include "common/rpc/tls.h"

namespace grpc {
class Server;
class ServerContextBase;
class Service;
}  // namespace grpc

namespace dovetail::rpc {

// Who calls, and what for.
struct Principal {
  std::string tenant = "default";
  std::string name;        // of the token or the certificate, for logs
  bool may_work = true;    // WorkerService
  bool may_submit = true;  // ExplorationService
  bool is_admin = true;    // sees all tenants
};

// Judges a bearer token ("" where the caller sent none). Thread-safe, must not block.
// Errors: Unauthenticated.
using TokenCheck = std::function<absl::StatusOr<Principal>(absl::string_view token)>;

// Who made this call: servicers ask first. Null check: everyone is the default principal.
// Errors: Unauthenticated.
absl::StatusOr<Principal> Authenticate(const grpc::ServerContextBase& context,
                                       const TokenCheck& check);

struct ServerOptions {
  TlsOptions tls;
  int max_message_bytes = kMaxMessageBytes;
};

// Owns the listening socket; the services must outlive it. Thread-safe.
class RpcServer {
 public:
  // Listens and serves on return. A stale Unix socket file is replaced, a live one is not; the
  // socket is readable by its owner alone.
  // Errors: InvalidArgument: malformed address, or a remote one without TLS; AlreadyExists: the
  // address is in use; PermissionDenied; Unavailable: cannot listen there; those of LoadTls.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(absl::string_view address,
                                                          const ServerOptions& options,
                                                          const std::vector<grpc::Service*>& all);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Where it listens, the port filled in.
  const std::string& address() const { return address_; }
  // What grpc.health.v1 answers; serving after Start.
  void SetServing(bool serving);
  // Refuses new calls, gives open ones `grace_ms`, cancels them then. Returns when all have ended.
  void Shutdown(int64_t grace_ms);

 private:
  RpcServer(std::string address, std::unique_ptr<grpc::Server> server);

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_SERVER_H_
