# SPDX-License-Identifier: BSD-2-Clause
# libktls.so, its engines and the ktls command. All land at the top of the build tree as
# they do below the prefix: libktls.so finds its engines in ktls-engines/ beside itself.

# ktls_add_engine(NAME LIBRARY SOURCES...): engine_NAME.so, a plugin for dlopen(), linked
# normally against its library.
function(ktls_add_engine name library)
  add_library(engine_${name} MODULE ${ARGN})
  target_link_libraries(
    engine_${name} PRIVATE ktls_internal ktls_shared_flags ${library}
  )
  set_target_properties(
    engine_${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY
                                        ${PROJECT_BINARY_DIR}/ktls-engines
  )
endfunction()

ktls_add_engine(
  libcrypto OpenSSL::Crypto
  src/engine_libcrypto.c src/engine_libcrypto_cbc.c src/engine_libcrypto_composed.c
)
find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
mark_as_advanced(IPSEC_MB_INCLUDE_DIR IPSEC_MB_LIBRARY)
if(KTLS_IPSEC_MB AND IPSEC_MB_INCLUDE_DIR AND IPSEC_MB_LIBRARY)
  add_library(ktls_ipsec_mb UNKNOWN IMPORTED)
  set_target_properties(
    ktls_ipsec_mb PROPERTIES IMPORTED_LOCATION ${IPSEC_MB_LIBRARY}
                             INTERFACE_INCLUDE_DIRECTORIES ${IPSEC_MB_INCLUDE_DIR}
  )
  ktls_add_engine(ipsec_mb ktls_ipsec_mb src/engine_ipsec_mb.c)
endif()

add_library(ktls SHARED src/interpose.c src/interpose_fd.c src/interpose_wait.c src/init.c)
add_library(ktls::ktls ALIAS ktls)
target_link_libraries(ktls PRIVATE ktls_core ktls_shared_flags)
# Two mappings fewer: 7 of 64 microseconds at the start of each preloaded program.
target_link_options(ktls PRIVATE LINKER:-z,noseparate-code)
set_target_properties(
  ktls
  PROPERTIES VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR}
             LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
             VERIFY_INTERFACE_HEADER_SETS ON
)
# No version script: a version on an interposed name hides it from programs that ask for
# the name's GLIBC version, and the preload silently does nothing.
target_sources(
  ktls PUBLIC FILE_SET HEADERS BASE_DIRS include FILES include/sys/ktls_compat.h
)
foreach(engine IN ITEMS engine_libcrypto engine_ipsec_mb)
  if(TARGET ${engine})
    add_dependencies(ktls ${engine})
  endif()
endforeach()

add_executable(
  ktls_tool
  tools/ktls.c tools/cmd_run.c tools/cmd_stat.c tools/cmd_sysctl.c tools/figures.c
  tools/figures_print.c
)
target_link_libraries(ktls_tool PRIVATE ktls_core)
target_compile_definitions(
  ktls_tool PRIVATE KTLS_VERSION="${PROJECT_VERSION}"
                    KTLS_LIBDIR="${CMAKE_INSTALL_LIBDIR}"
)
set_target_properties(
  ktls_tool PROPERTIES OUTPUT_NAME ktls RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
)

if(PROJECT_IS_TOP_LEVEL)
  add_subdirectory(examples)
  add_subdirectory(bench)
endif()
