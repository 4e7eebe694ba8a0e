#include "api/body_scanner.h"
#include <gtest/gtest.h>
