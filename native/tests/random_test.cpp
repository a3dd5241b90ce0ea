#include "core/random.h"

#include <doctest/doctest.h>

#include <array>

using rlscout::Random;

TEST_CASE("a stream is a function of seed and stream number alone") {
  Random first(7, 1), again(7, 1), other_stream(7, 2), other_seed(8, 1);
  const auto word = first();
  CHECK(word == again());
  CHECK(word != other_stream());
  CHECK(word != other_seed());
}

TEST_CASE("below() reaches every value about equally often and stays below") {
  Random random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) ++seen.at(random.below(7));
  for (int count : seen) CHECK(count == doctest::Approx(10000).epsilon(0.05));
}

TEST_CASE("gamma(shape) has mean and variance `shape`, below and above one") {
  for (const double shape : {0.3, 1.0, 4.0}) {
    Random random(2);
    const int n = 100000;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = random.gamma(shape);
      REQUIRE(x >= 0);
      sum += x, squares += x * x;
    }
    const double mean = sum / n;
    CHECK(mean == doctest::Approx(shape).epsilon(0.03));
    CHECK(squares / n - mean * mean == doctest::Approx(shape).epsilon(0.06));
  }
}
