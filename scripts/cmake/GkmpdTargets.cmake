# gkmpd_library(name SOURCES ... LINK ...): the one target of a directory.
function(gkmpd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC gkmpd_flags ${ARG_LINK})
endfunction()

# gkmpd_test(name SOURCES ... LINK ... LABELS ...): a GoogleTest program, one ctest entry.
function(gkmpd_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gkmpd_flags ${ARG_LINK} GTest::gmock GTest::gtest
                                        GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
endfunction()

# gkmpd_fuzz(name SOURCE file CORPUS dir LINK ...): a libFuzzer target in the sanitizer build, where
# ctest runs it over its corpus and then briefly onwards.
function(gkmpd_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "LINK" ${ARGN})
  if(NOT GKMPD_SANITIZE)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCE})
  target_link_libraries(${name} PRIVATE gkmpd_flags ${ARG_LINK})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set(found ${CMAKE_BINARY_DIR}/fuzz/${name})
  file(MAKE_DIRECTORY ${found})
  add_test(NAME ${name} COMMAND ${name} -use_value_profile=1 -runs=20000 -max_total_time=10
                                        -timeout=10 ${found} ${ARG_CORPUS})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
