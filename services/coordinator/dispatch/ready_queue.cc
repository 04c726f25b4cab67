#include "services/coordinator/dispatch/ready_queue.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace dovetail::dispatch {
namespace {

// The smallest virtual time among shares that have work waiting; 0 where none has.
template <typename Shares, typename IsBusy>
double SmallestUsed(const Shares& shares, IsBusy is_busy) {
  double smallest = std::numeric_limits<double>::infinity();
  for (const auto& [name, share] : shares) {
    if (is_busy(share)) smallest = std::min(smallest, share.used_slot_ms);
  }
  return smallest == std::numeric_limits<double>::infinity() ? 0.0 : smallest;
}

// Names of the shares with work, least used first, ties by name.
template <typename Shares, typename IsBusy>
auto InFairOrder(const Shares& shares, IsBusy is_busy) {
  std::vector<std::pair<double, typename Shares::key_type>> order;
  for (const auto& [name, share] : shares) {
    if (is_busy(share)) order.emplace_back(share.used_slot_ms, name);
  }
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

void ReadyQueue::Push(const Entry& entry) {
  Remove(entry.key);
  const auto tenant_busy = [](const TenantShare& share) { return share.waiting_count > 0; };
  const auto job_busy = [](const JobShare& share) { return !share.waiting.empty(); };
  const double tenant_floor = SmallestUsed(tenants_, tenant_busy);
  TenantShare& tenant = tenants_[entry.tenant];
  if (!tenant_busy(tenant)) tenant.used_slot_ms = std::max(tenant.used_slot_ms, tenant_floor);
  const double job_floor = SmallestUsed(tenant.jobs, job_busy);
  JobShare& job = tenant.jobs[entry.job_id];
  if (!job_busy(job)) job.used_slot_ms = std::max(job.used_slot_ms, job_floor);
  job.waiting.emplace(-entry.priority, entry.order, entry.key);
  ++tenant.waiting_count;
  entries_[entry.key] = entry;
}

void ReadyQueue::Remove(const std::string& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  const Entry& entry = it->second;
  TenantShare& tenant = tenants_[entry.tenant];
  tenant.jobs[entry.job_id].waiting.erase(Rank(-entry.priority, entry.order, entry.key));
  --tenant.waiting_count;
  entries_.erase(it);
}

bool ReadyQueue::PopFirst(const std::function<bool(const std::string& key)>& fits, Entry& entry,
                          int max_asked) {
  const auto tenant_order =
      InFairOrder(tenants_, [](const TenantShare& share) { return share.waiting_count > 0; });
  for (const auto& [tenant_used, tenant_name] : tenant_order) {
    const TenantShare& tenant = tenants_[tenant_name];
    const auto job_order =
        InFairOrder(tenant.jobs, [](const JobShare& share) { return !share.waiting.empty(); });
    for (const auto& [job_used, job_id] : job_order) {
      for (const Rank& rank : tenant.jobs.at(job_id).waiting) {
        if (max_asked-- <= 0) return false;
        const std::string& key = std::get<2>(rank);
        if (!fits(key)) continue;
        entry = entries_.at(key);
        Remove(entry.key);
        return true;
      }
    }
  }
  return false;
}

void ReadyQueue::Charge(const std::string& tenant_name, int64_t job_id, double slot_ms) {
  TenantShare& tenant = tenants_[tenant_name];
  tenant.used_slot_ms += slot_ms;
  tenant.jobs[job_id].used_slot_ms += slot_ms;
}

}  // namespace dovetail::dispatch
