peiling_test(fieldwork_progress_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/fieldwork_metrics_test.cc ${CMAKE_CURRENT_LIST_DIR} / progress_service_test.cc ${CMAKE_CURRENT_LIST_DIR} /
             progress_test.cc DEPS peiling_fieldwork_progress peiling_metrics peiling_storage peiling_vault)
