peiling_binary(identity_bench SOURCES identity_bench.cc DEPS peiling_gateway_identity OpenSSL::SSL benchmark::benchmark_main)
