peiling_binary(gateway_bench SOURCES gateway_bench.cc DEPS peiling_gateway benchmark::benchmark)
