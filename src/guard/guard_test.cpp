// Who may talk to a listener, as tables.
#include <gtest/gtest.h>

#include <algorithm>

#include "guard/cloud.h"
#include "guard/exposure.h"
#include "guard/host.h"
#include "guard/origin.h"
#include "guard/target.h"

namespace drover::guard {
namespace {

struct HostCase {
  std::string_view host;
  bool allowed;
};
constexpr HostCase kHosts[] = {
    {"", true},  // HTTP/1.0
    {"localhost", true},
    {"LOCALHOST:11435", true},
    {"localhost.", true},
    {"a.localhost", true},
    {"nas.local:80", true},
    {"host.docker.internal:11435", true},
    {"127.0.0.1:11435", true},
    {"203.0.113.9", true},  // an address cannot be rebound
    {"[::1]:11435", true},
    {"[2001:db8::1]", true},
    {"Box", true},
    {"box.lan:11435", true},
    {"gateway.example.org", true},
    {"Gateway.Example.org.:443", true},
    {"a.models.example.org", true},
    {"a.b.models.example.org", true},
    // the names of others
    {"evil.example", false},
    {"models.example.org", false},  // `*.` is for names below
    {"xmodels.example.org", false},
    {"localhost.evil.example", false},
    {"evillocalhost", false},
    {"local", false},
    {".local", false},
    {"internal", false},
    {"127.0.0.1.evil.example", false},
    {"box.evil.example", false},
    {"gateway.example.org.evil.example", false},
    // other spellings of an address are names to a resolver
    {"2130706433", false},
    {"0x7f.1", false},
    {"127.1", false},
    // no host at all: the head parser refuses these before
    {"localhost/x", false},
    {"user@localhost", false},
    {"localhost:99999", false},
    {"[::1", false},
};

TEST(Host, row_45_is_ours_or_gets_421) {
  const auto rules =
      HostRules::make({"box", "BOX.lan.", "(none)"}, {"gateway.example.org", "*.models.example.org"}).value();
  for (const auto& test : kHosts) EXPECT_EQ(rules.allows(test.host), test.allowed) << test.host;
  EXPECT_FALSE(rules.allows(std::string_view("localhost\0.evil", 15)));
}

TEST(Host, rules_without_names_allow_what_holds_everywhere) {
  EXPECT_TRUE(HostRules().allows("localhost:1"));
  EXPECT_FALSE(HostRules().allows("box"));
}

TEST(Host, entries_are_names_or_stars_above_names) {
  for (const auto* good : {"a", "a.b", "A_b.c", "*.a", "a.b."}) EXPECT_TRUE(is_host_entry(good)) << good;
  for (const auto* bad : {"", "*", "*.", "a.*", "a b", "a:80", "http://a", ".a", "a..b", "[::1]", "a/b"}) {
    EXPECT_FALSE(is_host_entry(bad)) << bad;
    const auto rules = HostRules::make({}, {bad});
    ASSERT_FALSE(rules) << bad;
    EXPECT_EQ(rules.error().code, ErrorCode::config);
  }
}

using Action = OriginVerdict::Action;

struct OriginCase {
  std::string_view origin, host;
  Action action;  // on the gateway
};
constexpr OriginCase kOrigins[] = {
    {"", "localhost", Action::pass},
    // the listener's own page
    {"http://gateway:11435", "gateway:11435", Action::pass},
    {"https://Gateway", "gateway", Action::pass},
    {"http://gateway:11435", "gateway", Action::refuse},
    {"ftp://gateway", "gateway", Action::refuse},
    // Ollama's list
    {"http://localhost", "", Action::pass},
    {"https://localhost:3000", "", Action::pass},
    {"HTTP://LOCALHOST:3000", "", Action::pass},
    {"http://127.0.0.1:8080", "", Action::pass},
    {"https://0.0.0.0", "", Action::pass},
    {"app://obsidian.md", "", Action::pass},
    {"file://", "", Action::pass},
    {"tauri://localhost", "", Action::pass},
    {"vscode-webview://1a2b3c", "", Action::pass},
    {"vscode-file://vscode-app", "", Action::pass},
    // configured
    {"https://ui.example.org", "", Action::pass},
    {"https://a.apps.example.org", "", Action::pass},
    // strangers
    {"https://evil.example", "localhost", Action::refuse},
    {"null", "", Action::refuse},
    {"http://localhost.evil.example", "", Action::refuse},
    {"http://localhost:3000.evil.example", "", Action::refuse},
    {"http://localhost:", "", Action::refuse},
    {"http://localhost:99999", "", Action::refuse},
    {"http://127.0.0.1.evil.example", "", Action::refuse},
    {"https://ui.example.org:444", "", Action::refuse},
    {"http://ui.example.org", "", Action::refuse},
    {"https://apps.example.org", "", Action::refuse},
    {"chrome-extension://abc", "", Action::refuse},
    {"app:/obsidian.md", "", Action::refuse},
};

OriginVerdict ask(const OriginRules& rules, std::string_view origin, std::string_view host = "",
                  bool is_options = false, std::string_view sec_fetch_site = "") {
  return rules.decide({.origin = origin, .host = host, .sec_fetch_site = sec_fetch_site, .is_options = is_options});
}

std::string header(const OriginVerdict& verdict, std::string_view name) {
  for (const Header& field : verdict.headers) {
    if (field.name == name) return field.value;
  }
  return "(absent)";
}

TEST(Origin, decides_on_the_gateway_as_the_table_says) {
  const auto rules = OriginRules::gateway({"https://ui.example.org/", "https://*.apps.example.org"}).value();
  for (const auto& test : kOrigins) {
    EXPECT_EQ(ask(rules, test.origin, test.host).action, test.action) << test.origin << " at " << test.host;
  }
}

TEST(Origin, on_the_admin_listener_is_its_own_page_or_configured) {
  const auto rules = OriginRules::admin({"https://ops.example.org"}).value();
  EXPECT_EQ(ask(rules, "", "localhost:11436").action, Action::pass);
  EXPECT_EQ(ask(rules, "http://localhost:11436", "localhost:11436").action, Action::pass);
  EXPECT_EQ(ask(rules, "https://ops.example.org", "localhost:11436").action, Action::pass);
  EXPECT_EQ(ask(rules, "http://localhost:3000", "localhost:11436").action, Action::refuse);
  EXPECT_EQ(ask(rules, "app://obsidian.md", "localhost:11436").action, Action::refuse);
}

TEST(Origin, cross_site_without_an_origin_is_refused_on_the_admin_listener_alone) {
  const auto admin = OriginRules::admin({}).value();
  const auto gateway = OriginRules::gateway({}).value();
  EXPECT_EQ(ask(admin, "", "localhost", false, "cross-site").action, Action::refuse);
  EXPECT_EQ(ask(admin, "", "localhost", false, "same-origin").action, Action::pass);
  EXPECT_EQ(ask(admin, "", "localhost", false, "none").action, Action::pass);
  EXPECT_EQ(ask(gateway, "", "localhost", false, "cross-site").action, Action::pass);
}

TEST(Origin, that_is_allowed_is_echoed_never_with_credentials) {
  const auto rules = OriginRules::gateway({}).value();
  const auto verdict = ask(rules, "app://obsidian.md");
  EXPECT_EQ(header(verdict, "access-control-allow-origin"), "app://obsidian.md");
  EXPECT_EQ(header(verdict, "vary"), "Origin");
  EXPECT_EQ(header(verdict, "access-control-allow-credentials"), "(absent)");
  EXPECT_TRUE(ask(rules, "").headers.empty());
  EXPECT_TRUE(ask(rules, "https://evil.example").headers.empty());
}

TEST(Origin, star_allows_anyone_and_says_so) {
  const auto verdict = ask(OriginRules::gateway({"*"}).value(), "null");
  EXPECT_EQ(verdict.action, Action::pass);
  EXPECT_EQ(header(verdict, "access-control-allow-origin"), "*");
  EXPECT_EQ(header(verdict, "vary"), "(absent)");
}

TEST(Origin, preflights_are_answered_with_what_clients_send) {
  const auto rules = OriginRules::gateway({}).value();
  const auto verdict = ask(rules, "http://localhost:3000", "", true);
  ASSERT_EQ(verdict.action, Action::preflight);
  EXPECT_EQ(header(verdict, "access-control-max-age"), "43200");
  EXPECT_EQ(header(verdict, "access-control-allow-methods"), "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS");
  const std::string allowed = header(verdict, "access-control-allow-headers");
  for (const auto* name :
       {"Authorization", "Content-Type", "X-Api-Key", "Anthropic-Version", "OpenAI-Beta", "X-Stainless-Os"}) {
    EXPECT_NE(allowed.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(ask(rules, "https://evil.example", "", true).action, Action::refuse);
  EXPECT_EQ(ask(rules, "", "", true).action, Action::pass);  // plain OPTIONS is the router's
}

TEST(Origin, entries_are_checked) {
  for (const auto* good :
       {"*", "null", "https://a", "https://a:8443", "http://localhost:*", "app://*", "https://*.a"}) {
    EXPECT_TRUE(check_origin_entry(good)) << good;
  }
  for (const auto* bad :
       {"", "localhost", "a.example.org", "https://", "://a", "https://*.*", "*://a", "https://a b", "http*://a"}) {
    EXPECT_FALSE(check_origin_entry(bad)) << bad;
    EXPECT_FALSE(OriginRules::gateway({bad})) << bad;
  }
}

TEST(Exposure, beyond_this_machine_must_be_said_outright) {
  for (const auto* safe : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(check_exposure("listen", net::parse_endpoint(safe).value(), false)) << safe;
  }
  for (const auto* open : {"0.0.0.0:1", ":1", "[::]:1", "192.168.1.2:1", "[fe80::1]:1"}) {
    const auto endpoint = net::parse_endpoint(open).value();
    EXPECT_FALSE(check_exposure("listen", endpoint, false)) << open;
    EXPECT_TRUE(check_exposure("listen", endpoint, true)) << open;
  }
  const auto refused = check_exposure("admin", net::parse_endpoint("0.0.0.0:11436").value(), false);
  EXPECT_EQ(refused.error().detail,
            "admin is 0.0.0.0:11436, which other machines can reach, and keys and TLS are not there yet: everybody who "
            "reaches it could use it; write admin: 127.0.0.1:11436, or insecure: true if that is meant");
}

TEST(Cloud, models_are_refused_unless_allowed) {
  for (const auto* name : {"kimi:cloud", "gpt-oss:120b-cloud", "x:cloud:local"}) {
    EXPECT_EQ(refuse_cloud(name, false, false)->status, 403) << name;
    EXPECT_FALSE(refuse_cloud(name, false, true)) << name;
  }
  EXPECT_EQ(refuse_cloud("stub:latest", true, false)->reason, api::Reason::cloud_model);
  EXPECT_FALSE(refuse_cloud("qwen3:8b", false, false));
}

struct TargetCase {
  std::string_view host, address;
  bool passes;
};
constexpr TargetCase kTargets[] = {
    {"gpu-1", "10.0.0.1", true},
    {"gpu-1", "2001:db8::1", true},
    {"gpu-1", "127.0.0.1", false},
    {"gpu-1", "::1", false},
    {"gpu-1", "0.0.0.0", false},
    {"gpu-1", "169.254.169.254", false},
    {"gpu-1", "fe80::1", false},
    {"gpu-1", "fd00:ec2::254", false},
    {"localhost", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.1", true},
    {"169.254.10.1", "169.254.10.1", true},
};

TEST(Target, row_9_a_name_may_not_point_at_this_machine_or_a_metadata_service) {
  for (const TargetCase& row : kTargets) {
    const auto checked = check_target(row.host, *net::parse_ip(row.address, 11434));
    EXPECT_EQ(checked.has_value(), row.passes) << row.host << " -> " << row.address;
    if (!checked) EXPECT_NE(checked.error().detail.find(row.address), std::string::npos) << checked.error().detail;
  }
}

}  // namespace
}  // namespace drover::guard
