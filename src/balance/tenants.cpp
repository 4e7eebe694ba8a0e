#include "balance/tenants.h"

#include <algorithm>

namespace drover::balance {

bool is_tenant_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestTenantName &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

void Tenants::configure(const std::vector<TenantSettings>& settings) {
  for (auto& [name, tenant] : named_) {
    tenant.configured = false;
    tenant.weight = 1;
    tenant.priority = Priority::normal;
  }
  for (const TenantSettings& its : settings) {
    Tenant& tenant = of(its.name);
    tenant.configured = true;
    tenant.weight = its.weight;
    tenant.priority = its.priority;
  }
  for (auto entry = named_.begin(); entry != named_.end();) {
    const Tenant& tenant = entry->second;
    entry = tenant.configured || tenant.flows > 0 ? std::next(entry) : named_.erase(entry);
  }
}

Tenant& Tenants::with_name(std::string_view name) {
  const auto found = named_.find(name);
  if (found != named_.end()) return found->second;
  return named_.emplace(name, Tenant{.name = std::string(name)}).first->second;
}

std::size_t Tenants::waiting(std::string_view name) const {
  if (name.empty()) return nameless_.waiting;
  const auto found = named_.find(name);
  return found == named_.end() ? 0 : found->second.waiting;
}

void Tenants::release(Tenant& tenant) {
  const bool named = &tenant != &nameless_;
  if (named && !tenant.configured && tenant.flows == 0) named_.erase(named_.find(tenant.name));
}

}  // namespace drover::balance
