# SPDX-License-Identifier: BSD-2-Clause
# While the tree is being written: sources that are not there yet are left out, with a
# message. This file, and the calls of its two functions, go when the tree is complete.

# Removes the missing files from the list named `list`.
function(ktls_drop_pending list)
  set(present)
  foreach(source IN LISTS ${list})
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
               OUTPUT_VARIABLE path)
    if(EXISTS ${path})
      list(APPEND present ${source})
    else()
      message(STATUS "pending: ${source}")
    endif()
  endforeach()
  set(${list} ${present} PARENT_SCOPE)
endfunction()

# Sets `out` to whether any of the files is missing.
function(ktls_is_pending out)
  set(sources ${ARGN})
  ktls_drop_pending(sources)
  list(LENGTH ARGN wanted)
  list(LENGTH sources present)
  if(wanted EQUAL present)
    set(${out} FALSE PARENT_SCOPE)
  else()
    set(${out} TRUE PARENT_SCOPE)
  endif()
endfunction()
