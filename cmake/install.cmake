# SPDX-License-Identifier: BSD-2-Clause
# What lands below the prefix: library, engines, command, header, manual pages, and the
# two ways to find them, pkg-config's and CMake's.
include(CMakePackageConfigHelpers)

if(NOT TARGET ktls)
  return()
endif()
# The unversioned libktls.so goes with the run time, for people preload it by that name.
install(
  TARGETS ktls
  EXPORT ktls
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT runtime
  FILE_SET HEADERS COMPONENT development
)
foreach(engine IN ITEMS engine_libcrypto engine_ipsec_mb)
  if(TARGET ${engine})
    install(
      TARGETS ${engine}
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/ktls-engines COMPONENT runtime
    )
  endif()
endforeach()
if(TARGET ktls_tool)
  install(TARGETS ktls_tool RUNTIME COMPONENT runtime)
endif()
foreach(page IN ITEMS ktls.1 ktls.7 ktls_compat.3)
  string(REGEX MATCH "[0-9]$" section ${page})
  install(
    FILES man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
    COMPONENT runtime
  )
endforeach()

install(
  FILES tools/ktls.bash RENAME ktls
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime
)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ktls)
install(EXPORT ktls NAMESPACE ktls:: FILE ktlsTargets.cmake DESTINATION ${package_dir}
        COMPONENT development)
configure_package_config_file(
  cmake/ktlsConfig.cmake.in ${PROJECT_BINARY_DIR}/ktlsConfig.cmake
  INSTALL_DESTINATION ${package_dir}
)
# While the version is 0.x, each minor version may change the interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/ktlsConfigVersion.cmake COMPATIBILITY SameMinorVersion
)
configure_file(cmake/ktls.pc.in ktls.pc @ONLY)
install(
  FILES ${PROJECT_BINARY_DIR}/ktlsConfig.cmake
        ${PROJECT_BINARY_DIR}/ktlsConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT development
)
install(
  FILES ${PROJECT_BINARY_DIR}/ktls.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development
)
