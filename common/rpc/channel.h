// The client's end: channels with TLS and token, a health probe, retry.
// Called by the worker's link and the command line. Knows no service.
#ifndef DOVETAIL_COMMON_RPC_CHANNEL_H_
#define DOVETAIL_COMMON_RPC_CHANNEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc/tls.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace dovetail::rpc {

// Largest message either end takes. Artifacts travel in chunks of kArtifactChunkBytes.
inline constexpr int kMaxMessageBytes = 16 << 20;
inline constexpr int kArtifactChunkBytes = 1 << 20;

struct ChannelOptions {
  TlsOptions tls;
  // Sent with every call as "authorization: Bearer <token>"; empty: none.
  std::string token;
  int max_message_bytes = kMaxMessageBytes;
  // How long a lost connection waits before it is tried again, at most.
  int max_reconnect_backoff_ms = 2000;
  // A connection that no other channel to this address shares: heartbeats must not queue behind
  // artifacts.
  bool own_connection = false;
};

// Does not connect yet.
// Errors: InvalidArgument: malformed address, or a remote one without TLS; those of LoadTls.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(absl::string_view address,
                                                           const ChannelOptions& options);

// One call of the standard grpc.health.v1.Health/Check for the whole server.
// Errors: Unavailable: not reachable, or it answers anything but SERVING; DeadlineExceeded.
absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, int64_t deadline_ms);

struct CallOptions {
  int64_t deadline_ms = 10'000;  // of each attempt
  // Only Unavailable is retried, so `call` must be idempotent where attempts > 1.
  int max_attempts = 5;
  int64_t initial_backoff_ms = 100;
  int64_t max_backoff_ms = 3'000;
  uint64_t jitter_seed = 1;  // derive it from an id of this client, so that clients spread
  // Waits between attempts; returns false to give up (shutdown). Null: sleeps.
  std::function<bool(int64_t wait_ms)> wait;
};

// Runs one unary call with a deadline, again while it is Unavailable. Every attempt gets a fresh
// context. The last status is returned, code kept.
//   rpc::Call(options, [&](grpc::ClientContext* context) {
//     return stub->GetJob(context, request, &response);
//   });
absl::Status Call(const CallOptions& options,
                  const std::function<grpc::Status(grpc::ClientContext*)>& call);

// For streams and asynchronous calls, which Call does not carry.
void SetDeadline(grpc::ClientContext& context, int64_t deadline_ms);

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_CHANNEL_H_
