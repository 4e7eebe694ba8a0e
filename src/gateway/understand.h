#pragma once
// The steps that every request takes which names a model in its body: read it, understand it, find the model. Where one
// of them ends the request, the client has been answered, if there is one; the error then says whether its connection
// can carry another request.

#include <expected>
#include <optional>
#include <string_view>

#include "fleet/fleet_view.h"
#include "gateway/exchange.h"
#include "gateway/prompt_body.h"
#include "net/soon.h"

namespace drover::gateway {

// In one pass: body.understood() is there when the last byte is.
net::Task<std::expected<void, bool>> read_prompt(Exchange& exchange, PromptBody& body);

// Its conversation, as the client names it.
std::optional<std::string_view> session_of(const Exchange& exchange);
// What a conversation's requests have in common and others have not: its session, if the client names one, else how its
// prompt begins. 0: too short to tell.
std::uint64_t affinity_of(const Exchange& exchange, const api::Understood& understood);

// A model, or see above.
using Authorised = std::expected<const fleet::Model*, bool>;

// The model that is asked for, or one that the name stands for, if this client may have it; never null, and lives as
// long as `exchange.published`. One that the fleet's view does not have is looked for anew: the fleet is asked at most
// once a second for all, and the request waits for the answer up to `refresh_wait`.
net::Soon<Authorised> authorise(Exchange& exchange, const api::Understood& understood);

// No node can serve the model that the request goes to: it goes to the fallback of that one's route from now on. Null:
// there is none that the fleet has, or it went there already. Lives as authorise()'s.
const fleet::Model* fall_back(Exchange& exchange, const fleet::Model& from);

}  // namespace drover::gateway
