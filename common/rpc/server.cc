#include "common/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/address.h"

namespace dovetail::rpc {
namespace {

constexpr char kBearer[] = "bearer ";

absl::Status InUse(const Address& address) {
  return absl::AlreadyExistsError(absl::StrCat(address.ToText(),
                                               " is in use: stop the process that listens there, "
                                               "or choose another address with --listen"));
}

absl::Status CannotListen(const Address& address, int error) {
  if (error == EADDRINUSE) return InUse(address);
  const std::string message =
      absl::StrCat("cannot listen on ", address.ToText(), ": ", std::strerror(error));
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

// gRPC removes whatever socket file it finds, also one that is served; and it reports no cause
// when it cannot bind. So the address is tried first.
absl::Status TryUnix(const Address& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.unix_path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return CannotListen(address, errno);
  const int connected = connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name));
  int error = connected == 0 ? 0 : errno;
  if (connected != 0 && error == ENOENT) {
    error = 0;
    if (bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)) != 0) {
      error = errno;
    } else {
      unlink(name.sun_path);
    }
    close(fd);
    return error == 0 ? absl::OkStatus() : CannotListen(address, error);
  }
  close(fd);
  if (connected == 0) return InUse(address);
  struct stat info {};
  if (stat(name.sun_path, &info) == 0 && !S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(absl::StrCat(
        address.unix_path, " is a file, not a socket: remove it, or choose another --listen"));
  }
  return error == ECONNREFUSED ? absl::OkStatus() : CannotListen(address, error);
}

absl::Status TryTcp(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failed != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address.ToText(), ": ", gai_strerror(failed)));
  }
  int error = 0;
  bool bound = false;
  for (addrinfo* one = found; one != nullptr && !bound; one = one->ai_next) {
    const int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    if (fd < 0) {
      error = errno;
      continue;
    }
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bound = bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, 1) == 0;
    if (!bound) error = errno;
    close(fd);
  }
  freeaddrinfo(found);
  return bound ? absl::OkStatus() : CannotListen(address, error);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const Address& address,
                                                                         const TlsOptions& tls) {
  if (!tls.enabled()) {
    if (address.is_local()) return grpc::InsecureServerCredentials();
    return absl::InvalidArgumentError(
        absl::StrCat("will not listen on ", address.ToText(),
                     " without TLS: give --tls-cert and --tls-key, or use a Unix socket or a "
                     "loopback address"));
  }
  ASSIGN_OR_RETURN(const TlsMaterial material, LoadTls(tls));
  if (material.certificate_pem.empty()) {
    return absl::InvalidArgumentError("a server with TLS needs --tls-cert and --tls-key");
  }
  grpc::SslServerCredentialsOptions ssl(
      material.ca_pem.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                              : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_root_certs = material.ca_pem;
  ssl.pem_key_cert_pairs.push_back({material.key_pem, material.certificate_pem});
  return grpc::SslServerCredentials(ssl);
}

}  // namespace

absl::StatusOr<Principal> Authenticate(const grpc::ServerContextBase& context,
                                       const TokenCheck& check) {
  if (!check) return Principal{};
  const auto& metadata = context.client_metadata();
  const auto header = metadata.find("authorization");
  if (header == metadata.end()) return check("");
  const absl::string_view value(header->second.data(), header->second.size());
  const size_t prefix_size = sizeof(kBearer) - 1;
  if (!absl::EqualsIgnoreCase(value.substr(0, prefix_size), kBearer)) {
    return absl::UnauthenticatedError("the authorization header is not \"Bearer <token>\"");
  }
  return check(value.substr(prefix_size));
}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    absl::string_view address, const ServerOptions& options,
    const std::vector<grpc::Service*>& all) {
  ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(parsed, options.tls));
  RETURN_IF_ERROR(parsed.is_unix() ? TryUnix(parsed) : TryTcp(parsed));

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  // Else a second server on the same port would silently share its calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  int port = 0;
  builder.AddListeningPort(parsed.ToText(), credentials, &port);
  for (grpc::Service* service : all) builder.RegisterService(service);
  // The socket is born with the right mode; main calls this before other threads make files.
  const mode_t old_mask = parsed.is_unix() ? umask(0077) : 0;
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (parsed.is_unix()) umask(old_mask);
  if (server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", parsed.ToText(),
                     ": the address was taken meanwhile, or the TLS certificate is not valid"));
  }
  if (!parsed.is_unix()) parsed.port = port;
  return std::unique_ptr<RpcServer>(new RpcServer(parsed.ToText(), std::move(server)));
}

RpcServer::RpcServer(std::string address, std::unique_ptr<grpc::Server> server)
    : address_(std::move(address)), server_(std::move(server)) {}

RpcServer::~RpcServer() { Shutdown(0); }

void RpcServer::SetServing(bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(serving);
}

void RpcServer::Shutdown(int64_t grace_ms) {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
  server_->Wait();
}

}  // namespace dovetail::rpc
