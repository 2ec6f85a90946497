# find_package(picomlp) gives the target picomlp::picomlp. For a device, set PICOMLP_LIBRARY to a folder under src, such as
# cortex-m4/fpv4-sp-d16-hard, in the toolchain file; by default it is this machine's processor.
get_filename_component(_picomlp "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT DEFINED PICOMLP_LIBRARY)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" PICOMLP_LIBRARY)
endif()
if(NOT EXISTS "${_picomlp}/src/${PICOMLP_LIBRARY}/libpicomlp.a")
  set(picomlp_FOUND FALSE)
  set(picomlp_NOT_FOUND_MESSAGE "no library for '${PICOMLP_LIBRARY}' in ${_picomlp}/src: set PICOMLP_LIBRARY to one of its folders")
  return()
endif()
if(NOT TARGET picomlp::picomlp)
  add_library(picomlp::picomlp STATIC IMPORTED)
  set_target_properties(picomlp::picomlp PROPERTIES
    IMPORTED_LOCATION "${_picomlp}/src/${PICOMLP_LIBRARY}/libpicomlp.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_picomlp}/src")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set_target_properties(picomlp::picomlp PROPERTIES INTERFACE_LINK_LIBRARIES "pthread;dl;m")
  endif()
endif()
