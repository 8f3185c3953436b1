peiling_binary(bench_names SOURCES names_bench.cc DEPS peiling_registry GTest::gtest benchmark::benchmark_main)
