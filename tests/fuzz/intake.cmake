peiling_test(fuzz_export_test SOURCES export_fuzz.cc DEPS peiling_intake LABELS fuzz)
