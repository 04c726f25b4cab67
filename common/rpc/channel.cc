#include "common/rpc/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/address.h"
#include "common/rpc/backoff.h"
#include "common/rpc/status_conversion.h"

namespace dovetail::rpc {
namespace {

using InterceptorFactory = grpc::experimental::ClientInterceptorFactoryInterface;

// Puts the token on every call. Call credentials would do it too, but only over TLS, and a token
// is also wanted on a Unix socket that several tenants share.
class TokenInterceptor : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", header_});
    }
    methods->Proceed();
  }

 private:
  const std::string header_;
};

class TokenInterceptorFactory : public InterceptorFactory {
 public:
  explicit TokenInterceptorFactory(absl::string_view token)
      : header_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(header_);
  }

 private:
  const std::string header_;
};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const Address& address,
                                                                          const TlsOptions& tls) {
  if (!tls.enabled()) {
    if (address.is_local()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError(
        absl::StrCat("will not connect to ", address.ToText(),
                     " without TLS: give the authority file (--tls-ca), or use a Unix socket or a "
                     "loopback address"));
  }
  ASSIGN_OR_RETURN(const TlsMaterial material, LoadTls(tls));
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = material.ca_pem;
  ssl.pem_cert_chain = material.certificate_pem;
  ssl.pem_private_key = material.key_pem;
  return grpc::SslCredentials(ssl);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(absl::string_view address,
                                                           const ChannelOptions& options) {
  ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  if (!parsed.is_unix() && parsed.port == 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot connect to port 0 of ", parsed.host));
  }
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(parsed, options.tls));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetMaxSendMessageSize(options.max_message_bytes);
  // A peer that vanished without a word is noticed while a call is open.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, options.max_reconnect_backoff_ms);
  // Proxies of the environment are for the web, never for the cluster's own traffic.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (options.own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::vector<std::unique_ptr<InterceptorFactory>> interceptors;
  if (!options.token.empty()) {
    interceptors.push_back(std::make_unique<TokenInterceptorFactory>(options.token));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      parsed.ToText(), credentials, arguments, std::move(interceptors));
}

absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, int64_t deadline_ms) {
  // An empty request is an empty message; SERVING answers field 1 = 1.
  static constexpr char kServing[] = "\x08\x01";
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  SetDeadline(context, deadline_ms);
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request(nullptr, 0);
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  RETURN_IF_ERROR(FromGrpc(status));
  std::string bytes;
  std::vector<grpc::Slice> slices;
  if (response.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  if (bytes != kServing) return absl::UnavailableError("the server is up, but not serving yet");
  return absl::OkStatus();
}

absl::Status Call(const CallOptions& options,
                  const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  Backoff backoff(options.initial_backoff_ms, options.max_backoff_ms, options.jitter_seed);
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    SetDeadline(context, options.deadline_ms);
    const absl::Status status = FromGrpc(call(&context));
    if (status.code() != absl::StatusCode::kUnavailable || attempt >= options.max_attempts) {
      return status;
    }
    const int64_t wait_ms = backoff.NextMs();
    if (!options.wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    } else if (!options.wait(wait_ms)) {
      return status;
    }
  }
}

void SetDeadline(grpc::ClientContext& context, int64_t deadline_ms) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline_ms));
}

}  // namespace dovetail::rpc
