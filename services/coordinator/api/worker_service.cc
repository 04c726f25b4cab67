#include "services/coordinator/api/worker_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "common/telemetry/log.h"

namespace dovetail::api {
namespace {

constexpr int64_t kLongestPollMs = 30'000;
constexpr size_t kLongestName = 200;

absl::StatusOr<rpc::Principal> Worker(const ApiContext& api, grpc::CallbackServerContext* context) {
  ASSIGN_OR_RETURN(rpc::Principal principal, rpc::Authenticate(*context, api.token_check));
  if (!principal.may_work) {
    return absl::PermissionDeniedError("this token may not use WorkerService");
  }
  return principal;
}

absl::StatusOr<dispatch::WorkerOffer> OfferFromProto(const v1::WorkerDescription& proto,
                                                     const rpc::Principal& principal) {
  if (proto.id().empty() || proto.id().size() > kLongestName) {
    return absl::InvalidArgumentError("worker.id is empty or longer than 200 bytes");
  }
  if (proto.slots() < 1 || proto.slots() > 10'000) {
    return absl::InvalidArgumentError("worker.slots is not in 1..10000");
  }
  dispatch::WorkerOffer offer;
  offer.id = proto.id();
  offer.host = proto.host();
  offer.tenant = principal.is_admin ? "" : principal.tenant;
  offer.capabilities.assign(proto.capabilities().begin(), proto.capabilities().end());
  offer.tools.insert(proto.tools().begin(), proto.tools().end());
  offer.task_versions.insert(proto.task_versions().begin(), proto.task_versions().end());
  offer.slots = proto.slots();
  offer.version = proto.version();
  return offer;
}

void AssignmentToProto(const dispatch::Assignment& assignment, v1::Assignment* proto) {
  proto->set_action_key(assignment.key);
  proto->set_attempt(assignment.attempt);
  proto->set_task(assignment.action.task);
  *proto->mutable_parameters() = convert::ValueToStruct(assignment.action.parameters);
  proto->mutable_inputs()->insert(assignment.action.inputs.begin(), assignment.action.inputs.end());
  proto->set_seed(assignment.action.seed);
  proto->set_cpu_slots(assignment.action.cpu_slots);
  proto->set_lease_ms(assignment.lease_ms);
  proto->set_timeout_ms(assignment.timeout_ms);
  proto->set_tenant(assignment.action.tenant);
}

}  // namespace

grpc::ServerUnaryReactor* WorkerService::Lease(grpc::CallbackServerContext* context,
                                               const v1::LeaseRequest* request,
                                               v1::LeaseResponse* response) {
  const auto principal = Worker(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  const auto offer = OfferFromProto(request->worker(), *principal);
  if (!offer.ok()) return FinishNow(context, offer.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const int64_t heartbeat_ms = api_.leader->dispatch_options().heartbeat_ms;
  api_.leader->Lease(
      *offer, request->free_slots(), std::clamp<int64_t>(request->wait_ms(), 0, kLongestPollMs),
      [context] { return !context->IsCancelled(); },
      [reactor, response,
       heartbeat_ms](absl::StatusOr<std::vector<dispatch::Assignment>> assignments) {
        if (assignments.ok()) {
          for (const dispatch::Assignment& assignment : *assignments) {
            AssignmentToProto(assignment, response->add_assignments());
          }
          response->set_heartbeat_ms(heartbeat_ms);
        }
        reactor->Finish(rpc::ToGrpc(assignments.status()));
      });
  return reactor;
}

grpc::ServerUnaryReactor* WorkerService::Heartbeat(grpc::CallbackServerContext* context,
                                                   const v1::HeartbeatRequest* request,
                                                   v1::HeartbeatResponse* response) {
  const auto principal = Worker(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  const auto offer = OfferFromProto(request->worker(), *principal);
  if (!offer.ok()) return FinishNow(context, offer.status());
  return Lead(api_, context, [offer = *offer, request, response](Turn& turn) {
    turn.dispatcher.SeeWorker(offer, request->draining(), turn.changes);
    for (const v1::AttemptBeat& beat : request->attempts()) {
      const dispatch::Verdict verdict =
          turn.dispatcher.Heartbeat(offer, beat.action_key(), beat.attempt());
      response->add_verdicts(verdict == dispatch::Verdict::kContinue ? v1::VERDICT_CONTINUE
                                                                     : v1::VERDICT_CANCEL);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* WorkerService::Complete(grpc::CallbackServerContext* context,
                                                  const v1::CompleteRequest* request,
                                                  v1::CompleteResponse* response) {
  const auto principal = Worker(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  if (!IsSha256Hex(request->action_key())) {
    return FinishNow(context, absl::InvalidArgumentError("action_key is no SHA-256 digest"));
  }
  const absl::StatusOr<ActionResult> result = convert::ActionResultFromProto(*request);
  if (!result.ok()) return FinishNow(context, result.status());
  std::vector<std::string> digests;
  for (const auto& [port, digest] : result->outputs) digests.push_back(digest);
  const auto missing = api_.artifacts->FindMissing(digests);
  if (!missing.ok()) return FinishNow(context, missing.status());
  if (!missing->empty()) {
    return FinishNow(context, absl::FailedPreconditionError(absl::StrCat(
                                  "output ", missing->front(), " was not uploaded before")));
  }
  return Lead(api_, context, [result = *result, request, response](Turn& turn) {
    const dispatch::Completion completion =
        turn.dispatcher.Complete(request->worker_id(), request->action_key(), request->attempt(),
                                 result, turn.changes, turn.finished);
    response->set_accepted(completion.accepted);
    response->set_duplicate(completion.duplicate);
    if (completion.nondeterministic) {
      Log(LogLevel::kError, "nondeterministic_action: the same action gave other bytes",
          {{"action", request->action_key()},
           {"attempt", request->attempt()},
           {"worker", request->worker_id()}});
    }
    return absl::OkStatus();
  });
}

}  // namespace dovetail::api
