# Warnings, hardening, sanitizers and how we link: as INTERFACE targets, so that nothing is set globally.

add_library(drover_warnings INTERFACE)
target_compile_options(drover_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror)

# Third-party headers must not trip our warnings; fmt is compiled from its headers (src/base/fmt.cpp).
add_library(fmt-headers INTERFACE)
target_compile_definitions(fmt-headers INTERFACE FMT_USE_CONSTEXPR=1)

# Linked statically, so that the binary depends on glibc alone.
function(add_static_library target file)
  find_library(${target}_FILE NAMES ${file} REQUIRED)
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${${target}_FILE})
endfunction()
add_static_library(zstd-static libzstd.a)
add_static_library(yaml-cpp-static libyaml-cpp.a)
add_static_library(ssl-static libssl.a)
add_static_library(crypto-static libcrypto.a)

add_compile_options(-fPIE)  # libraries too: all end in programs, and share one precompiled header
add_compile_options(-fno-omit-frame-pointer)
add_compile_options(-Xclang -fno-pch-timestamp)  # lets ccache keep objects built with precompiled headers
add_link_options(-fuse-ld=lld -static-libstdc++ -static-libgcc)

if(DROVER_SANITIZE)
  add_compile_options(-fsanitize=${DROVER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DROVER_SANITIZE})
elseif(NOT DROVER_FUZZ)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2> _GLIBCXX_ASSERTIONS)
  add_compile_options(-fstack-protector-strong -fcf-protection)
  add_link_options(-Wl,-z,relro -Wl,-z,now -pie)
endif()
