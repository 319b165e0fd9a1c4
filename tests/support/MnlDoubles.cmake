# gkmpd_use_mnl_doubles(target): links a test with the stand-ins for libmnl and the socket calls.
function(gkmpd_use_mnl_doubles target)
  target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/mnl_doubles.c)
  foreach(call mnl_socket_open2 mnl_socket_close mnl_socket_bind mnl_socket_setsockopt
               mnl_socket_get_fd mnl_socket_get_portid mnl_socket_sendto mnl_socket_recvfrom
               recvfrom setsockopt)
    target_link_options(${target} PRIVATE -Wl,--wrap=${call})
  endforeach()
endfunction()
