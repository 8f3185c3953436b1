peiling_binary(storage_bench SOURCES storage_bench.cc DEPS peiling_storage SQLite::SQLite3 benchmark::benchmark_main)
