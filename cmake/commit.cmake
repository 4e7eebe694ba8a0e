cmake_minimum_required(VERSION 3.25)
# Writes HEADER with the commit that is checked out in SOURCE, if it says something else.
execute_process(
  COMMAND git describe --always --dirty=+ --abbrev=12 --exclude=*
  WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define DROVER_COMMIT \"@commit@\"\n" @ONLY)
