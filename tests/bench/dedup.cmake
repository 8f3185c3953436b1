peiling_binary(dedup_bench SOURCES dedup_bench.cc DEPS peiling_dedup_fixture benchmark::benchmark_main)
