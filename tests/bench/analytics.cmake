peiling_binary(analytics_bench SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/analytics_bench.cc DEPS peiling_analytics peiling_survey benchmark::benchmark_main)
target_compile_definitions(analytics_bench PRIVATE PEILING_SURVEYS="${PROJECT_SOURCE_DIR}/services/intake/surveys")
