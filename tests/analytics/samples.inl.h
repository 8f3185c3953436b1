#pragma once

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace peiling::analytics::samples {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

}  // namespace peiling::analytics::samples
