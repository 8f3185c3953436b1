peiling_binary(intake_load SOURCES intake_load.cc DEPS peiling_intake peiling_validation SQLite::SQLite3)
