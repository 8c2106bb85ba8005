# The standard library and fmt are parsed once for all folders, GoogleTest once for all tests: a quarter of the time of a
# build. It hides a missing #include of theirs in a .cc file; that headers compile alone, scripts/lint sees.
option(FIRN_PCH "precompile the headers of the libraries" ON)

set(FIRN_STANDARD_HEADERS
  <algorithm> <array> <atomic> <chrono> <condition_variable> <coroutine> <cstdint> <cstring> <deque> <filesystem> <fstream>
  <functional> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view> <thread>
  <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

# firn_precompile(TARGET SOURCE_TARGET): TARGET uses the headers that SOURCE_TARGET has precompiled.
function(firn_precompile target source)
  if(FIRN_PCH)
    target_precompile_headers(${target} REUSE_FROM ${source})
  endif()
endfunction()

if(FIRN_PCH)
  # ccache can keep what was compiled with it only if it carries no time of day.
  target_compile_options(firn_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp" -fpch-instantiate-templates)
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "")
  foreach(kind code tests)
    add_library(firn_precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
    target_link_libraries(firn_precompiled_${kind} PRIVATE firn_options fmt::fmt)
    target_precompile_headers(firn_precompiled_${kind} PRIVATE ${FIRN_STANDARD_HEADERS})
  endforeach()
  target_link_libraries(firn_precompiled_tests PRIVATE GTest::gtest)
  target_precompile_headers(firn_precompiled_tests PRIVATE <gtest/gtest.h>)
endif()
