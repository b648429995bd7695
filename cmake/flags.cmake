# SPDX-License-Identifier: BSD-2-Clause
# How our C is compiled, as interface targets: all of it, what sees the library's inside,
# and what becomes a shared object.

add_library(ktls_flags INTERFACE)
target_compile_features(ktls_flags INTERFACE c_std_11)
target_compile_options(
  ktls_flags
  INTERFACE -Wall
            -Wextra
            -Wshadow
            -Wstrict-prototypes
            -Wmissing-prototypes
            -Wpointer-arith
            -Wvla
            -Wformat=2
            -Wconversion
            -fno-semantic-interposition
            # Thread-local access without a call into ld.so: safe in a signal handler, and
            # libktls.so needs nothing but libc.
            -ftls-model=initial-exec
            -fstack-protector-strong
)

if(KTLS_SANITIZE)
  target_compile_options(
    ktls_flags INTERFACE -fsanitize=${KTLS_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer
  )
  target_link_options(ktls_flags INTERFACE -fsanitize=${KTLS_SANITIZE})
else()
  # FORTIFY does nothing without optimisation, and blinds the sanitizers with it.
  target_compile_options(
    ktls_flags
    INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=2>
  )
endif()

add_library(ktls_internal INTERFACE)
target_link_libraries(ktls_internal INTERFACE ktls_flags)
target_include_directories(
  ktls_internal INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include
)
target_compile_definitions(ktls_internal INTERFACE _GNU_SOURCE)
# src/memcheck.h: hints for valgrind, in the builds that run under it.
find_path(VALGRIND_INCLUDE_DIR valgrind/valgrind.h)
mark_as_advanced(VALGRIND_INCLUDE_DIR)
if(VALGRIND_INCLUDE_DIR)
  target_compile_definitions(ktls_internal INTERFACE $<$<CONFIG:Debug>:KTLS_VALGRIND>)
endif()

add_library(ktls_shared_flags INTERFACE)
target_link_options(
  ktls_shared_flags
  INTERFACE
  LINKER:-z,defs
  LINKER:-z,now
  LINKER:-z,relro
  LINKER:-Bsymbolic-functions
  LINKER:--as-needed
)
