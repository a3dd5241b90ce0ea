// Engine: rules, texts, features and labels of positions.
#include <nanobind/stl/tuple.h>

#include <tuple>

#include "python/arrays.h"
#include "python/bind.h"

namespace rlscout::python {
namespace {

// An array that fill(vector) writes while other Python threads run.
template <class T, class Fill>
Out<T> filled(std::vector<std::size_t> shape, Fill&& fill) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) size *= extent;
  std::vector<T> values(size);
  {
    nb::gil_scoped_release release;
    fill(values);
  }
  return to_numpy(std::move(values), std::move(shape));
}

template <class T>
std::pair<Out<std::int32_t>, Out<T>> labels(const Engine& engine, const In<std::uint64_t>& positions,
                                            const In<std::int32_t>& patterns,
                                            void (Engine::*label)(Words, std::span<const std::int32_t>,
                                                                  std::span<std::int32_t>, std::span<T>) const) {
  const Words words = positions_of(engine, positions);
  const std::size_t n = positions.shape(0);
  std::vector<std::int32_t> scores(n);
  std::vector<T> costs(n);
  {
    nb::gil_scoped_release release;
    (engine.*label)(words, {patterns.data(), patterns.size()}, scores, costs);
  }
  return {to_numpy(std::move(scores), {n}), to_numpy(std::move(costs), {n})};
}

}  // namespace

void bind_rules(nb::class_<Engine>& engine) {
  engine.def_prop_ro("name", [](const Engine& e) { return e.info().name; })
      .def_prop_ro("scoring", [](const Engine& e) { return e.info().scoring; })
      .def_prop_ro("columns", [](const Engine& e) { return e.info().columns; })
      .def_prop_ro("rows", [](const Engine& e) { return e.info().rows; })
      .def_prop_ro("squares", [](const Engine& e) { return e.info().squares; })
      .def_prop_ro("words", [](const Engine& e) { return e.info().words; })
      .def_prop_ro("symmetries", [](const Engine& e) { return e.info().symmetries; })
      .def_prop_ro("max_plies", [](const Engine& e) { return e.info().max_plies; })
      .def_prop_ro("min_score", [](const Engine& e) { return e.info().min_score; })
      .def_prop_ro("max_score", [](const Engine& e) { return e.info().max_score; })
      .def("initial",
           [](const Engine& e) {
             auto packed = e.initial();
             const std::size_t size = packed.size();
             return to_numpy(std::move(packed), {size});
           })
      .def(
          "validate",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            nb::gil_scoped_release release;
            e.validate(words);
          },
          nb::arg("positions"))
      .def(
          "legal",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            const std::size_t width = static_cast<std::size_t>(e.info().words);
            return filled<std::uint64_t>({positions.shape(0), width}, [&](auto& moves) { e.legal(words, moves); });
          },
          nb::arg("positions"))
      .def(
          "phase",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            return filled<std::uint8_t>({positions.shape(0)}, [&](auto& phases) { e.phase(words, phases); });
          },
          nb::arg("positions"))
      .def(
          "play",
          [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> moves) {
            const Words words = positions_of(e, positions);
            const auto squares = one_per_position(moves, positions.shape(0), "moves");
            return filled<std::uint64_t>({positions.shape(0), positions.shape(1)},
                                         [&](auto& next) { e.play(words, squares, next); });
          },
          nb::arg("positions"), nb::arg("moves"))
      .def(
          "score",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            return filled<std::int32_t>({positions.shape(0)}, [&](auto& scores) { e.score(words, scores); });
          },
          nb::arg("positions"))
      .def(
          "transform",
          [](const Engine& e, In<std::uint64_t> positions, In<std::uint8_t> symmetries) {
            const Words words = positions_of(e, positions);
            const auto indices = one_per_position(symmetries, positions.shape(0), "symmetries");
            return filled<std::uint64_t>({positions.shape(0), positions.shape(1)},
                                         [&](auto& images) { e.transform(words, indices, images); });
          },
          nb::arg("positions"), nb::arg("symmetries"))
      .def(
          "canonical",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            std::vector<std::uint64_t> images(words.size());
            std::vector<std::uint8_t> symmetries(positions.shape(0));
            {
              nb::gil_scoped_release release;
              e.canonical(words, images, symmetries);
            }
            return std::make_pair(to_numpy(std::move(images), {positions.shape(0), positions.shape(1)}),
                                  to_numpy(std::move(symmetries), {positions.shape(0)}));
          },
          nb::arg("positions"))
      .def("symmetry_squares",
           [](const Engine& e) {
             const auto symmetries = static_cast<std::size_t>(e.info().symmetries);
             return to_numpy(e.symmetry_squares(), {symmetries, static_cast<std::size_t>(e.info().squares)});
           })
      .def(
          "values",
          [](const Engine& e, In<std::int32_t> scores, float margin) {
            if (scores.ndim() != 1)
              throw std::invalid_argument("scores of shape " + shape_text(scores) + ": [B] is allowed");
            if (!(margin >= 0.0f && margin <= 1.0f))
              throw std::invalid_argument("margin " + std::to_string(margin) + ": 0 to 1 is allowed");
            std::vector<float> values(scores.size());
            for (std::size_t i = 0; i < values.size(); ++i) values[i] = e.value_of(scores.data()[i], margin);
            return to_numpy(std::move(values), {scores.shape(0)});
          },
          nb::arg("scores"), nb::arg("margin"))
      .def(
          "to_text",
          [](const Engine& e, In<std::uint64_t> position, bool first_to_move) {
            return e.to_text(position_of(e, position), first_to_move);
          },
          nb::arg("position"), nb::arg("first_to_move"))
      .def(
          "from_text",
          [](const Engine& e, std::string_view text) {
            auto [packed, first_to_move] = e.from_text(text);
            const std::size_t size = packed.size();
            return std::make_pair(to_numpy(std::move(packed), {size}), first_to_move);
          },
          nb::arg("text"))
      .def_prop_ro("pattern_shape",
                   [](const Engine& e) {
                     const PatternShape shape = e.pattern_shape();
                     return std::make_tuple(shape.first_stage, shape.stages, shape.stage_size, shape.features);
                   })
      .def(
          "pattern_features",
          [](const Engine& e, In<std::uint64_t> positions) {
            const Words words = positions_of(e, positions);
            const auto features = static_cast<std::size_t>(e.pattern_shape().features);
            return filled<std::int32_t>({positions.shape(0), features},
                                        [&](auto& indices) { e.pattern_features(words, indices); });
          },
          nb::arg("positions"))
      .def(
          "exact_labels",
          [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> patterns) {
            return labels<std::int64_t>(e, positions, patterns, &Engine::exact_labels);
          },
          nb::arg("positions"), nb::arg("patterns"))
      .def(
          "labels_ahead",
          [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> patterns) {
            return labels<std::int32_t>(e, positions, patterns, &Engine::labels_ahead);
          },
          nb::arg("positions"), nb::arg("patterns"))
      .def(
          "perft",
          [](const Engine& e, In<std::uint64_t> position, int depth) {
            const Words packed = position_of(e, position);
            nb::gil_scoped_release release;
            return e.perft(packed, depth);
          },
          nb::arg("position"), nb::arg("depth"));
}

}  // namespace rlscout::python
