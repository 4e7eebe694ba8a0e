#pragma once
// One line of CSV a request.

#include <string>
#include <string_view>

#include "load/outcome.h"

namespace drover::load {

// Times in ms, those since the start of the run first; a cell is empty where there is no such value.
inline constexpr std::string_view kOutcomeTitles =
    "number,due_ms,sent_ms,ended_ms,ttft_ms,tpot_ms,e2e_ms,prompt_tokens,asked_tokens,prompt_read,tokens,status,end,"
    "error,node,request_id\n";
std::string outcome_line(const Outcome& outcome);

}  // namespace drover::load
