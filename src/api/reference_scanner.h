#pragma once
// The scanner's rules once more, slow and whole: a document is built, then asked. For tests to compare with.

#include <expected>
#include <string_view>

#include "api/route.h"
#include "api/understood.h"

namespace drover::api {

// nullopt of the refusal's text: only its reason is compared.
std::expected<Understood, Reason> reference_scan(Route route, std::string_view body);

}  // namespace drover::api
