#include "search/prior.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random.h"

using namespace rlscout;

TEST_CASE("a prior's code keeps 12 bits and its order") {
  CHECK(decode_prior(encode_prior(1.0f)) == 1.0f);
  CHECK(decode_prior(encode_prior(0.5f)) == 0.5f);
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    const auto prior = static_cast<float>(std::pow(random.uniform(), 8.0));
    const auto other = static_cast<float>(random.uniform());
    if (prior < 0x1p-30f) continue;
    CHECK(std::abs(decode_prior(encode_prior(prior)) - prior) <= prior * 0x1p-12f);
    CHECK((encode_prior(prior) <= encode_prior(other)) ==
          (decode_prior(encode_prior(prior)) <= decode_prior(encode_prior(other))));
    if (prior < other) CHECK(encode_prior(prior) <= encode_prior(other));
  }
}

TEST_CASE("four at a time are as one by one") {
  Random random(2);
  for (int i = 0; i < 1'000; ++i) {
    PriorVector priors;
    for (int lane = 0; lane < 4; ++lane) priors[lane] = static_cast<float>(std::pow(random.uniform(), 40.0));
    priors[i % 4] = i % 3 == 0 ? 0.0f : 1.0f;
    const PriorCodeVector codes = encode_priors(priors);
    const PriorVector decoded = decode_priors(codes);
    for (int lane = 0; lane < 4; ++lane) {
      CHECK(codes[lane] == encode_prior(priors[lane]));
      CHECK(decoded[lane] == decode_prior(codes[lane]));
    }
  }
}

TEST_CASE("no prior has the code of a taken move") {
  CHECK(encode_prior(0.0f) != kTaken);
  CHECK(encode_prior(0x1p-149f) != kTaken);
  CHECK(decode_prior(encode_prior(0.0f)) < 0x1p-30f);
}
