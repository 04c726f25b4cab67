// Actions that may run, in the order in which they should: tenants share by slot-milliseconds used,
// then jobs within a tenant; within a job the highest priority, then the oldest first.
// Called by the dispatcher only. Not thread-safe.
//
// Source: start-time fair queueing by virtual time (Goyal, Vin, Cheng 1996): a share that was idle
// resumes at the smallest virtual time in use, so it cannot save up. Departures: what an action
// uses is charged when it ends, and a guess of it when it starts.
#ifndef DOVETAIL_SERVICES_COORDINATOR_DISPATCH_READY_QUEUE_H_
#define DOVETAIL_SERVICES_COORDINATOR_DISPATCH_READY_QUEUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace dovetail::dispatch {

class ReadyQueue {
 public:
  struct Entry {
    std::string key;
    std::string tenant;
    int64_t job_id = 0;
    int priority = 0;   // higher first
    int64_t order = 0;  // lower first
  };

  void Push(const Entry& entry);
  // No effect where the key is not queued.
  void Remove(const std::string& key);
  bool Contains(const std::string& key) const { return entries_.contains(key); }
  size_t size() const { return entries_.size(); }

  // Takes the first entry for which `fits` holds, in fair order; false where there is none. `fits`
  // is asked at most `max_asked` times.
  bool PopFirst(const std::function<bool(const std::string& key)>& fits, Entry& entry,
                int max_asked = 10'000);

  // Slot-milliseconds that a job of a tenant has used.
  void Charge(const std::string& tenant, int64_t job_id, double slot_ms);

 private:
  using Rank = std::tuple<int, int64_t, std::string>;  // -priority, order, key
  struct JobShare {
    double used_slot_ms = 0;
    std::set<Rank> waiting;
  };
  struct TenantShare {
    double used_slot_ms = 0;
    std::map<int64_t, JobShare> jobs;
    size_t waiting_count = 0;
  };

  std::map<std::string, TenantShare> tenants_;
  std::map<std::string, Entry> entries_;
};

}  // namespace dovetail::dispatch

#endif  // DOVETAIL_SERVICES_COORDINATOR_DISPATCH_READY_QUEUE_H_
