peiling_binary(validation_bench SOURCES validation_bench.cc DEPS peiling_validation benchmark::benchmark_main)
target_compile_definitions(validation_bench PRIVATE SURVEYS="${PROJECT_SOURCE_DIR}/services/intake/surveys")
