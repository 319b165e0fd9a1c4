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
  # A simulation runs ten times as long under scripts/test --long.
  if("sim" IN_LIST ARG_LABELS)
    set(timeout 3600)
  else()
    set(timeout 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${timeout})
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

# gkmpd_kernel_script_test(name COMMAND ... [TIMEOUT seconds] [GUEST]): a ctest entry that runs a
# command through scripts/kernel, in a kernel that has ESP; with GUEST never in the running one, for
# what changes more of a kernel than its namespaces hold. Not in the sanitizer build, which does not
# start in User-Mode Linux. Two guests at once is what a small machine bears: every entry takes one
# of two slots.
function(gkmpd_kernel_script_test name)
  cmake_parse_arguments(ARG "GUEST" "TIMEOUT" "COMMAND" ${ARGN})
  if(GKMPD_SANITIZE)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  get_property(count GLOBAL PROPERTY gkmpd_kernel_tests)
  if(NOT count)
    set(count 0)
  endif()
  math(EXPR slot "${count} % 2")
  math(EXPR count "${count} + 1")
  set_property(GLOBAL PROPERTY gkmpd_kernel_tests ${count})
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/scripts/kernel --timeout ${ARG_TIMEOUT}
                                $<$<BOOL:${ARG_GUEST}>:--uml> -- ${ARG_COMMAND}
           COMMAND_EXPAND_LISTS)
  math(EXPR outer "${ARG_TIMEOUT} + 30")
  set_tests_properties(${name} PROPERTIES LABELS kernel TIMEOUT ${outer}
                                          RESOURCE_LOCK gkmpd-kernel-${slot})
endfunction()

# gkmpd_kernel_test(name SOURCES ... LINK ... [TIMEOUT seconds]): a GoogleTest program that runs as
# root in a kernel that has ESP, in a network of its own.
function(gkmpd_kernel_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(GKMPD_SANITIZE)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gkmpd_flags ${ARG_LINK} GTest::gmock GTest::gtest
                                        GTest::gtest_main)
  gkmpd_kernel_script_test(${name} COMMAND $<TARGET_FILE:${name}> TIMEOUT ${ARG_TIMEOUT})
endfunction()
