peiling_test(fuzz_dedup_test SOURCES dedup_fuzz.cc DEPS peiling_dedup_fixture LABELS fuzz)
