peiling_test(fuzz_csv_test SOURCES csv_fuzz.cc DEPS peiling_csv absl::strings LABELS fuzz)
