#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"
#include "inference/tower.h"

using namespace rlscout;

namespace {

struct Shape {
  int rows, columns, channels, blocks;
};

// Random tensors, and what refers to them.
class Network {
 public:
  explicit Network(Shape s) {
    const auto n = [](int count) { return static_cast<std::size_t>(count); };
    const int squares = s.rows * s.columns, layers = 2 * s.blocks, c = s.channels;
    q = {s.rows, s.columns, c,  s.blocks, kPolicy, kValue, kHidden, {}, {}, {}, {}, {},
         {},     {},        {}, {},       {},      {},     {},      {}, {}, {}, {}, {}};
    q.stem_weight = filled(shorts_[0], n(c * 27), 2000);
    q.stem_bias = filled(shorts_[1], n(c), 2000);
    q.policy_weight = filled(bytes_[0], n(squares * kPolicy * squares), 127);
    q.hidden_weight = filled(bytes_[1], n(kHidden * kValue * squares), 127);
    q.block_weight = filled(bytes_[2], n(layers * c * c * 16), 127);
    q.head_weight = filled(bytes_[3], n((kPolicy + kValue) * c), 127);
    q.block_bias = filled(words_[0], n(layers * c * 4), 10000);
    q.head_bias = filled(words_[1], n(kPolicy + kValue), 10000);
    q.block_scale = filled(floats_[0], n(layers * c), 1e-3f);
    q.residual_scale = filled(floats_[1], n(s.blocks * c), 1.0f);
    q.head_scale = filled(floats_[2], n(kPolicy + kValue), 1e-2f);
    q.policy_scale = filled(floats_[3], n(squares), 1e-4f);
    q.policy_bias = filled(floats_[4], n(squares), 1.0f);
    q.hidden_scale = filled(floats_[5], n(kHidden), 1e-4f);
    q.hidden_bias = filled(floats_[6], n(kHidden), 1.0f);
    q.value_weight = filled(floats_[7], n(kHidden), 0.3f);
    q.value_bias = filled(floats_[8], 1, 0.1f);
  }

  inference::Quantised q;

 private:
  static constexpr int kPolicy = 5, kValue = 3, kHidden = 7;

  template <class T>
  const std::vector<T>& filled(std::vector<T>& tensor, std::size_t count, double most) {
    tensor.resize(count);
    for (T& number : tensor) number = static_cast<T>((2.0 * random_.uniform() - 1.0) * most);
    return tensor;
  }

  Random random_{3};
  std::vector<std::int16_t> shorts_[2];
  std::vector<std::int8_t> bytes_[4];
  std::vector<std::int32_t> words_[2];
  std::vector<float> floats_[9];
};

}  // namespace

TEST_CASE("instruction sets and threads answer alike") {
  for (const Shape shape :
       {Shape{8, 8, 40, 1}, Shape{6, 6, 8, 2}, Shape{15, 15, 8, 1}, Shape{1, 3, 4, 1}, Shape{3, 11, 8, 0}}) {
    const Network network(shape);
    const auto squares = static_cast<std::size_t>(shape.rows * shape.columns), words = (squares + 63) / 64;
    constexpr std::size_t kCount = 19;
    std::vector<std::uint64_t> positions(kCount * 2 * words), legal(kCount * words);
    Random random(7);
    for (auto& word : positions) word = random();
    for (auto& word : legal) word = random();
    std::vector<float> wanted_logits, wanted_values;
    for (const std::string& set : inference::instruction_sets())
      for (const int threads : {1, 3}) {
        inference::Tower tower(network.q, threads, set);
        std::vector<float> logits(kCount * squares), values(kCount);
        tower.evaluate(positions, legal, logits, values);
        if (wanted_logits.empty()) wanted_logits = logits, wanted_values = values;
        CHECK(logits == wanted_logits);
        CHECK(values == wanted_values);
      }
  }
}
