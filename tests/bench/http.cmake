peiling_binary(http_bench SOURCES http_bench.cc DEPS peiling_gateway benchmark::benchmark)
