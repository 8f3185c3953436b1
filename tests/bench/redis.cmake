peiling_binary(redis_bench SOURCES redis_bench.cc DEPS peiling_redis_servers benchmark::benchmark_main)
