# Targets over the tracked sources, beside the build:
#   format         clang-format, in place
#   check_format   fails where clang-format would change something; names file and line
#   check          clang-tidy with the list of .clang-tidy, all cores; build first, it reads
#                  generated headers. A few seconds a file.
find_program(CLANG_FORMAT_PROGRAM clang-format)
find_program(RUN_CLANG_TIDY_PROGRAM NAMES run-clang-tidy run-clang-tidy-14)

function(dovetail_source_target name program package)
  if(NOT program)
    add_custom_target(${name}
      COMMAND ${CMAKE_COMMAND} -E echo "${name}: install the Debian package ${package}, then configure again"
      COMMAND ${CMAKE_COMMAND} -E false)
    return()
  endif()
  add_custom_target(${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    USES_TERMINAL VERBATIM)
endfunction()

set(tracked "git ls-files -z '*.cc' '*.h' | xargs -0")
dovetail_source_target(format "${CLANG_FORMAT_PROGRAM}" clang-format
  sh -c "${tracked} ${CLANG_FORMAT_PROGRAM} -i")
dovetail_source_target(check_format "${CLANG_FORMAT_PROGRAM}" clang-format
  sh -c "${tracked} ${CLANG_FORMAT_PROGRAM} --dry-run --Werror")
dovetail_source_target(check "${RUN_CLANG_TIDY_PROGRAM}" clang-tidy
  ${RUN_CLANG_TIDY_PROGRAM} -quiet -p ${CMAKE_BINARY_DIR}
  "^${PROJECT_SOURCE_DIR}/(common|services|tests)/")
