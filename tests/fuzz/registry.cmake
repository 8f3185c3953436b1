peiling_test(fuzz_csv_test SOURCES csv_fuzz.cc DEPS peiling_csv absl::strings LABELS fuzz)
peiling_test(fuzz_names_test SOURCES names_fuzz.cc DEPS peiling_registry absl::strings LABELS fuzz)
