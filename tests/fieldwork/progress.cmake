peiling_test(fieldwork_progress_test SOURCES fieldwork_metrics_test.cc progress_service_test.cc progress_test.cc
             DEPS peiling_fieldwork_progress peiling_metrics peiling_storage peiling_vault)
