# Compiler settings and the three functions that every folder uses.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(AVAHI REQUIRED IMPORTED_TARGET avahi-client)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

set(FIRN_SANITIZE "" CACHE STRING "sanitizers, such as address,undefined")
option(FIRN_FUZZ "build the libFuzzer targets" OFF)

add_library(firn_options INTERFACE)
target_include_directories(firn_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(firn_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Werror
  -Wno-gnu-statement-expression -Wno-missing-field-initializers -Wno-missing-designated-field-initializers -fno-omit-frame-pointer)
target_link_options(firn_options INTERFACE -fuse-ld=lld)
target_link_libraries(firn_options INTERFACE Threads::Threads)
if(FIRN_SANITIZE)
  # Without the checks of UBSan that stand at every access to memory: they take as long to compile as all others
  # together, and find little that AddressSanitizer does not.
  target_compile_options(firn_options INTERFACE -fsanitize=${FIRN_SANITIZE} -fno-sanitize-recover=all
    -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow)
  target_link_options(firn_options INTERFACE -fsanitize=${FIRN_SANITIZE})
endif()
if(FIRN_FUZZ)
  target_compile_options(firn_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

include(cmake/precompiled.cmake)

# firn_library(NAME SOURCES ... DEPENDS ...): one folder's library, target firn_NAME.
function(firn_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(firn_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(firn_${name} PUBLIC firn_options ${ARG_DEPENDS})
  firn_precompile(firn_${name} firn_precompiled_code)
endfunction()

# firn_test(NAME SOURCES ... DEPENDS ... [TIMEOUT s] [LABELS ...]): a GoogleTest program, one ctest entry. Built by its own
# name, or with all others by the target unit_tests.
add_custom_target(unit_tests)
function(firn_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
  add_dependencies(unit_tests ${name})
  target_link_libraries(${name} PRIVATE firn_options ${ARG_DEPENDS} GTest::gtest GTest::gtest_main)
  firn_precompile(${name} firn_precompiled_tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
endfunction()

# firn_fuzz(NAME SOURCES ... DEPENDS ...): a libFuzzer program, built with -DFIRN_FUZZ=ON. Its corpus is
# NAME_corpus/ beside the source; scripts/fuzz runs each for a number of seconds.
function(firn_fuzz name)
  if(NOT FIRN_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE firn_options ${ARG_DEPENDS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
