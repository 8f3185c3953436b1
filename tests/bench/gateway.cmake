add_executable(gateway_bench ${CMAKE_CURRENT_SOURCE_DIR}/gateway_bench.cc)
target_include_directories(gateway_bench PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(gateway_bench PRIVATE peiling_gateway benchmark::benchmark benchmark::benchmark_main)
