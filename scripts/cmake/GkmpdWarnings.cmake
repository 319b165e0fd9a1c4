# The sanitizer build is debugged from line numbers; more of -g would double its size.
set(CMAKE_C_FLAGS_DEBUG "-O1 -gline-tables-only")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -gline-tables-only")

# One interface target with the flags every target of ours is built with.
add_library(gkmpd_flags INTERFACE)
target_compile_options(gkmpd_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Werror
                                             -fno-omit-frame-pointer)
target_compile_options(gkmpd_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wshadow -Wnon-virtual-dtor -Woverloaded-virtual>)
target_include_directories(gkmpd_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(gkmpd_flags INTERFACE _GLIBCXX_ASSERTIONS)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports array-bounds and friends falsely on plain vector inserts at -O2; clang, which
  # builds the sanitizer tree, keeps them as errors (docs/DESIGN.md, "Builds").
  target_compile_options(gkmpd_flags INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow
                                               -Wno-stringop-overread)
endif()

if(GKMPD_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "GKMPD_SANITIZE wants clang (CC=clang-19 CXX=clang++-19)")
  endif()
  target_compile_options(gkmpd_flags INTERFACE
    -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all)
  target_link_options(gkmpd_flags INTERFACE -fsanitize=address,undefined)
endif()
