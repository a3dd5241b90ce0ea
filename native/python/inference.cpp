// Networks on the CPU: the 8-bit Tower, and policies from logits.
#include <algorithm>

#include "engine/policy.h"
#include "inference/tower.h"
#include "python/arrays.h"
#include "python/bind.h"

namespace rlscout::python {
namespace {

Out<float> policies_of(In<float> logits, In<std::uint64_t> legal) {
  const bool rows = logits.ndim() == 2 && legal.ndim() == 2 && logits.shape(0) == legal.shape(0);
  if (!rows || legal.shape(1) != (logits.shape(1) + 63) / 64)
    throw std::invalid_argument("logits " + shape_text(logits) + " and legal " + shape_text(legal) +
                                ": allowed are [B, S] and [B, W], W = ceil(S / 64)");
  std::vector<float> policies(logits.size());
  {
    nb::gil_scoped_release release;
    masked_softmax({logits.data(), logits.size()}, {legal.data(), legal.size()}, logits.shape(1), policies);
  }
  return to_numpy(std::move(policies), {logits.shape(0), logits.shape(1)});
}

// A tensor of a quantised network; Tower checks how many numbers it has.
template <class T>
std::span<const T> tensor(const nb::dict& tensors, const char* name) {
  In<T> array;
  if (!tensors.contains(name) || !nb::try_cast(tensors[name], array, false))
    throw std::invalid_argument(std::string("tensor ") + name + " is missing or of another type");
  return {array.data(), array.size()};  // the dictionary keeps it
}

inference::Tower make_tower(int rows, int columns, const nb::dict& t, int threads, std::string_view instructions) {
  const auto stem_bias = tensor<std::int16_t>(t, "stem_bias");
  const auto policy_bias = tensor<float>(t, "policy_bias"), hidden_bias = tensor<float>(t, "hidden_bias");
  const auto policy_weight = tensor<std::int8_t>(t, "policy_weight"),
             hidden_weight = tensor<std::int8_t>(t, "hidden_weight");
  const auto residual_scale = tensor<float>(t, "residual_scale");
  const auto planes = [&](std::span<const std::int8_t> weight, std::span<const float> bias) {
    const auto squares = static_cast<std::size_t>(std::max(1, rows)) * static_cast<std::size_t>(std::max(1, columns));
    return bias.empty() ? 0 : static_cast<int>(weight.size() / bias.size() / squares);
  };
  return inference::Tower({rows,
                           columns,
                           static_cast<int>(stem_bias.size()),
                           static_cast<int>(residual_scale.size() / std::max<std::size_t>(1, stem_bias.size())),
                           planes(policy_weight, policy_bias),
                           planes(hidden_weight, hidden_bias),
                           static_cast<int>(hidden_bias.size()),
                           tensor<std::int16_t>(t, "stem_weight"),
                           stem_bias,
                           tensor<std::int8_t>(t, "block_weight"),
                           tensor<std::int32_t>(t, "block_bias"),
                           tensor<float>(t, "block_scale"),
                           residual_scale,
                           tensor<std::int8_t>(t, "head_weight"),
                           tensor<std::int32_t>(t, "head_bias"),
                           tensor<float>(t, "head_scale"),
                           policy_weight,
                           tensor<float>(t, "policy_scale"),
                           policy_bias,
                           hidden_weight,
                           tensor<float>(t, "hidden_scale"),
                           hidden_bias,
                           tensor<float>(t, "value_weight"),
                           tensor<float>(t, "value_bias")},
                          threads, instructions);
}

std::pair<Out<float>, Out<float>> evaluate(inference::Tower& tower, In<std::uint64_t> positions,
                                           In<std::uint64_t> legal) {
  const std::size_t n = positions.ndim() == 2 ? positions.shape(0) : 0, words = tower.words(),
                    squares = tower.squares();
  if (positions.ndim() != 2 || positions.shape(1) != 2 * words || legal.ndim() != 2 || legal.shape(0) != n ||
      legal.shape(1) != words)
    throw std::invalid_argument("positions " + shape_text(positions) + " and legal " + shape_text(legal) +
                                ": allowed are [B, " + std::to_string(2 * words) + "] and [B, " +
                                std::to_string(words) + "]");
  std::vector<float> logits(n * squares), policies(n * squares), values(n);
  {
    nb::gil_scoped_release release;
    const Words moves{legal.data(), legal.size()};
    tower.evaluate({positions.data(), positions.size()}, moves, logits, values);
    masked_softmax(logits, moves, squares, policies);
  }
  return {to_numpy(std::move(policies), {n, squares}), to_numpy(std::move(values), {n})};
}

}  // namespace

void bind_inference(nb::module_& module) {
  module.def("masked_softmax", &policies_of, nb::arg("logits"), nb::arg("legal"));
  module.def("instruction_sets", &inference::instruction_sets);
  nb::class_<inference::Tower>(module, "Tower")
      .def(
          "__init__",
          [](inference::Tower* self, int rows, int columns, const nb::dict& tensors, int threads,
             std::string_view instructions) {
            new (self) inference::Tower(make_tower(rows, columns, tensors, threads, instructions));
          },
          nb::arg("rows"), nb::arg("columns"), nb::arg("tensors"), nb::arg("threads"), nb::arg("instructions"))
      .def_prop_ro("instructions", &inference::Tower::instructions)
      .def("evaluate", &evaluate, nb::arg("positions"), nb::arg("legal"));
}

}  // namespace rlscout::python
