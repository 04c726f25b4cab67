#include "services/coordinator/api/watch_reactor.h"

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "common/base/status_macros.h"
#include "services/coordinator/api/job_view.h"

namespace dovetail::api {
namespace {

constexpr int kFetch = 100;

class WatchReactor : public grpc::ServerWriteReactor<v1::Event> {
 public:
  WatchReactor(const ApiContext& api, const rpc::Principal& principal,
               const v1::WatchJobRequest& request)
      : api_(api), state_(std::make_shared<State>()) {
    state_->reactor = this;
    state_->api = api;
    state_->principal = principal;
    state_->job_id = request.id();
    state_->after = request.after_event();
    // The hub's callbacks outlive this object safely: they hold the state, not the reactor.
    subscription_ =
        api_.leader->events().Subscribe(request.id(), [state = state_](int64_t) { Fetch(state); });
    Fetch(state_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(state_->mutex);
    state_->writing = false;
    if (!ok) return FinishLocked(*state_, absl::CancelledError("the client has left"));
    Continue(*state_);
  }
  void OnCancel() override {
    std::lock_guard lock(state_->mutex);
    FinishLocked(*state_, absl::CancelledError("the client has left"));
  }
  void OnDone() override {
    {
      std::lock_guard lock(state_->mutex);
      state_->reactor = nullptr;
    }
    api_.leader->events().Unsubscribe(subscription_);
    delete this;
  }

 private:
  struct State {
    std::mutex mutex;
    WatchReactor* reactor = nullptr;  // null once the stream is done
    ApiContext api;
    rpc::Principal principal;
    int64_t job_id = 0;
    int64_t after = 0;            // the last event fetched
    std::deque<v1::Event> queue;  // fetched, not yet written
    v1::Event current;            // being written
    bool writing = false;
    bool fetching = false;
    bool again = false;  // something was committed while fetching
    bool ended = false;  // the job has, and everything was fetched
    bool finished = false;
  };

  static void FinishLocked(State& state, const absl::Status& status) {
    if (state.finished || state.reactor == nullptr) return;
    state.finished = true;
    state.reactor->Finish(rpc::ToGrpc(status));
  }

  // Under the lock: writes the next event, or ends the stream.
  static void Continue(State& state) {
    if (state.finished || state.reactor == nullptr || state.writing) return;
    if (!state.queue.empty()) {
      state.writing = true;
      state.current = std::move(state.queue.front());
      state.queue.pop_front();
      state.reactor->StartWrite(&state.current);
      return;
    }
    if (state.ended && !state.fetching) FinishLocked(state, absl::OkStatus());
  }

  static void Fetch(const std::shared_ptr<State>& state) {
    {
      std::lock_guard lock(state->mutex);
      if (state->finished) return;
      if (state->fetching) {
        state->again = true;
        return;
      }
      state->fetching = true;
    }
    state->api.readers->Run([state] { FetchNow(state); });
  }

  static absl::Status ReadEvents(State& state, std::vector<store::EventRecord>& events,
                                 bool& job_ended) {
    ASSIGN_OR_RETURN(const auto job, VisibleJob(*state.api.store, state.principal, state.job_id));
    job_ended = IsTerminal(job.state);
    ASSIGN_OR_RETURN(events, state.api.store->ListEvents(state.job_id, state.after, kFetch));
    return absl::OkStatus();
  }

  static void FetchNow(const std::shared_ptr<State>& state) {
    std::vector<store::EventRecord> events;
    bool job_ended = false;
    const absl::Status status = ReadEvents(*state, events, job_ended);
    bool more = false;
    {
      std::lock_guard lock(state->mutex);
      state->fetching = false;
      if (!status.ok()) return FinishLocked(*state, status);
      for (const store::EventRecord& event : events) {
        state->after = event.sequence;
        state->queue.push_back(EventToProto(event));
      }
      more = events.size() == kFetch || std::exchange(state->again, false);
      // Events and the job's end are written in one transaction, and the job was read first.
      state->ended = job_ended && !more;
      Continue(*state);
    }
    if (more) Fetch(state);
  }

  const ApiContext api_;
  std::shared_ptr<State> state_;
  int64_t subscription_ = 0;
};

class FailedWatch : public grpc::ServerWriteReactor<v1::Event> {
 public:
  explicit FailedWatch(const absl::Status& status) { Finish(rpc::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<v1::Event>* StartWatch(const ApiContext& api,
                                                const absl::StatusOr<rpc::Principal>& principal,
                                                const v1::WatchJobRequest& request) {
  if (!principal.ok()) return new FailedWatch(principal.status());
  return new WatchReactor(api, *principal, request);
}

}  // namespace dovetail::api
