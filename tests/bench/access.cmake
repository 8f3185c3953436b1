peiling_binary(audit_log_bench SOURCES audit_log_bench.cc DEPS peiling_access benchmark::benchmark_main)
