// absl::Status <-> grpc::Status: the codes are the same numbers, the message is kept.
// The one converter; called wherever a call ends.
#ifndef DOVETAIL_COMMON_RPC_STATUS_CONVERSION_H_
#define DOVETAIL_COMMON_RPC_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace dovetail::rpc {

// Messages are cut to 4 KiB: they travel in HTTP/2 trailers, and longer ones end the call with a
// code of their own.
grpc::Status ToGrpc(const absl::Status& status);
// A code outside the known ones becomes Unknown.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_STATUS_CONVERSION_H_
