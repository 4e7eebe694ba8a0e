#pragma once
// Who asks: the tenants that settings name, and those that only requests name. One without a name is everybody else.

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "balance/settings.h"

namespace drover::balance {

inline constexpr std::size_t kLongestTenantName = 64;  // bytes
// Visible ASCII, without blanks.
bool is_tenant_name(std::string_view text);

struct Tenant {
  std::string name;
  double weight = 1;  // of two that wait, the tokens that each gets go by it
  Priority priority = Priority::normal;
  bool configured = false;
  std::size_t waiting = 0;  // requests, in all lines
  std::size_t flows = 0;    // lines that know it
};

class Tenants {
 public:
  explicit Tenants(const std::vector<TenantSettings>& settings) { configure(settings); }
  void configure(const std::vector<TenantSettings>& settings);

  Tenant& of(std::string_view name) { return name.empty() ? nameless_ : with_name(name); }
  // How many of its requests wait, whether it is known or not.
  std::size_t waiting(std::string_view name) const;
  Tenant& nameless() { return nameless_; }
  // Forgets one that no line knows any more, unless the settings name it.
  void release(Tenant& tenant);
  const std::map<std::string, Tenant, std::less<>>& named() const { return named_; }

 private:
  Tenant& with_name(std::string_view name);

  Tenant nameless_;
  std::map<std::string, Tenant, std::less<>> named_;  // addresses last
};

}  // namespace drover::balance
