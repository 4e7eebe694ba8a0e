// In a file of its own: it is compiled again with every commit.
#include "commit.h"  // written by the build: DROVER_COMMIT

#include "cli/version.h"

namespace drover::cli {

std::string_view commit() { return DROVER_COMMIT; }

}  // namespace drover::cli
