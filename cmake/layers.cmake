# What nearly every file includes, compiled once for all layers and once for all tests.
add_library(drover_precompiled STATIC ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(drover_precompiled PRIVATE fmt-headers drover_warnings)
target_precompile_headers(drover_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
if(DROVER_TESTS)
  add_library(drover_precompiled_test STATIC ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
  target_link_libraries(drover_precompiled_test PRIVATE fmt-headers drover_warnings GTest::gtest_main)
  target_precompile_headers(drover_precompiled_test PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled_test.h)
endif()

# What a request passes through. For release these layers are optimised once more as a whole when `drover` is linked
# (ThinLTO): calls between files become part of the callers. Their objects carry both forms, so that all other programs
# link as ever. What the link made of a file is kept, and made anew only where something that it uses has changed.
set(DROVER_DATA_PATH base net http wire api fleet balance guard observe config gateway)
set(DROVER_WHOLE_PROGRAM $<$<CONFIG:Release>:-flto=thin> $<$<CONFIG:Release>:-ffat-lto-objects>)

# And by a profile: how often each branch is taken, as bench/profile saw it under load. A function that has changed since
# is compiled as if there were none, so an old profile is never wrong, only of less use. Objects of two profiles cannot be
# linked, so it is called by its contents: another one compiles all anew.
option(DROVER_RECORD_PROFILE "build a drover that writes such a profile (bench/profile)" OFF)
set(DROVER_PROFILE ${PROJECT_SOURCE_DIR}/cmake/data_path.profdata)
set(DROVER_PROFILED -mllvm -static-func-full-module-prefix=false)  # names that do not depend on where the sources lie
if(DROVER_RECORD_PROFILE)
  list(APPEND DROVER_PROFILED -fprofile-generate)
  add_link_options(-fprofile-generate)
elseif(CMAKE_BUILD_TYPE STREQUAL Release AND EXISTS ${DROVER_PROFILE})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${DROVER_PROFILE})
  file(SHA256 ${DROVER_PROFILE} contents)
  string(SUBSTRING ${contents} 0 8 contents)
  configure_file(${DROVER_PROFILE} ${PROJECT_BINARY_DIR}/data_path-${contents}.profdata COPYONLY)
  list(APPEND DROVER_PROFILED -fprofile-use=${PROJECT_BINARY_DIR}/data_path-${contents}.profdata -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled
       -Wno-backend-plugin)
else()
  set(DROVER_PROFILED "")
endif()

# add_layer(NAME SOURCES ... TESTS ... BENCHES ... FUZZERS ... FUZZ_SUPPORT ... USES layers ... LIBRARIES targets ...)
#
# A layer is one folder under src/: a static library `drover_NAME`, a test program `NAME_test` that ctest runs, and a
# benchmark program `NAME_bench`. For each of FUZZERS (with FUZZ_SUPPORT compiled in) there is a program that ctest runs
# over its seeds in tests/corpus, and with DROVER_FUZZ a libFuzzer program. USES names the layers above it that it may
# include (tests/layers checks the includes).
function(add_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;TESTS;BENCHES;FUZZERS;FUZZ_SUPPORT;USES;LIBRARIES" ${ARGN})
  list(TRANSFORM LAYER_USES PREPEND drover_)

  add_library(drover_${name} STATIC ${LAYER_SOURCES})
  target_include_directories(drover_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(drover_${name} PUBLIC ${LAYER_USES} ${LAYER_LIBRARIES} PRIVATE drover_warnings)
  target_precompile_headers(drover_${name} REUSE_FROM drover_precompiled)
  if(name IN_LIST DROVER_DATA_PATH)
    target_compile_options(drover_${name} PRIVATE ${DROVER_WHOLE_PROGRAM} ${DROVER_PROFILED})
  endif()

  if(LAYER_TESTS AND DROVER_TESTS)
    add_executable(${name}_test ${LAYER_TESTS})
    target_link_libraries(${name}_test PRIVATE drover_${name} drover_warnings GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM drover_precompiled_test)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()

  foreach(fuzzer IN LISTS LAYER_FUZZERS)
    string(REPLACE "_fuzz.cpp" "" target ${name}_${fuzzer})
    if(DROVER_TESTS)
      add_executable(${target}_seeds ${fuzzer} ${LAYER_FUZZ_SUPPORT} ${PROJECT_SOURCE_DIR}/src/base/run_seeds.cpp)
      target_link_libraries(${target}_seeds PRIVATE drover_${name} drover_warnings)
      add_test(NAME seeds/${target} COMMAND ${target}_seeds ${PROJECT_SOURCE_DIR}/tests/corpus/${target})
    endif()
    if(DROVER_FUZZ)
      add_executable(${target}_fuzz ${fuzzer} ${LAYER_FUZZ_SUPPORT})
      target_link_libraries(${target}_fuzz PRIVATE drover_${name} drover_warnings)
      target_link_options(${target}_fuzz PRIVATE -fsanitize=fuzzer)
    endif()
  endforeach()

  if(LAYER_BENCHES AND DROVER_BENCHES)
    add_executable(${name}_bench ${LAYER_BENCHES})
    target_link_libraries(${name}_bench PRIVATE drover_${name} drover_warnings benchmark::benchmark_main)
  endif()
endfunction()
