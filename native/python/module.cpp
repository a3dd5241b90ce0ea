// The Python module: arrays in, arrays out, the GIL released while native code works. src/rlscout/_native.pyi is the contract.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>

#include "engine/engine.h"

namespace nb = nanobind;
using namespace rlscout;

namespace {

// A C-contiguous array from Python; nanobind converts where the type or the layout differs.
template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;

// A NumPy array that owns what the vector held.
template <class T>
Out<T> to_numpy(std::vector<T> values, std::vector<std::size_t> shape) {
  auto* held = new std::vector<T>(std::move(values));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Out<T>(held->data(), shape.size(), shape.data(), owner);
}

template <class T>
std::string shape_text(const In<T>& array) {
  std::string text = "[";
  for (std::size_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  return text + "]";
}

// B packed positions [B, 2W].
Words positions_of(const Engine& engine, const In<std::uint64_t>& positions) {
  const std::size_t width = 2 * static_cast<std::size_t>(engine.info().words);
  if (positions.ndim() != 2 || positions.shape(1) != width)
    throw std::invalid_argument("positions of shape " + shape_text(positions) + ": " + engine.info().name +
                                " takes [B, " + std::to_string(width) + "]");
  return {positions.data(), positions.size()};
}

Words position_of(const Engine& engine, const In<std::uint64_t>& position) {
  const std::size_t width = 2 * static_cast<std::size_t>(engine.info().words);
  if (position.ndim() != 1 || position.shape(0) != width)
    throw std::invalid_argument("position of shape " + shape_text(position) + ": " + engine.info().name +
                                " takes one packed position [" + std::to_string(width) + "]");
  return {position.data(), position.size()};
}

template <class T>
std::span<const T> one_per_position(const In<T>& values, std::size_t positions, const char* what) {
  if (values.ndim() != 1 || values.shape(0) != positions)
    throw std::invalid_argument(std::string(what) + " of shape " + shape_text(values) + ": one per position, [" +
                                std::to_string(positions) + "], is allowed");
  return {values.data(), values.size()};
}

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
      .def("validate", [](const Engine& e, In<std::uint64_t> positions) { e.validate(positions_of(e, positions)); })
      .def("legal",
           [](const Engine& e, In<std::uint64_t> positions) {
             const Words words = positions_of(e, positions);
             const std::size_t width = static_cast<std::size_t>(e.info().words);
             std::vector<std::uint64_t> moves(words.size() / 2);
             {
               nb::gil_scoped_release release;
               e.legal(words, moves);
             }
             return to_numpy(std::move(moves), {positions.shape(0), width});
           })
      .def("phase",
           [](const Engine& e, In<std::uint64_t> positions) {
             const Words words = positions_of(e, positions);
             std::vector<std::uint8_t> phases(positions.shape(0));
             {
               nb::gil_scoped_release release;
               e.phase(words, phases);
             }
             return to_numpy(std::move(phases), {positions.shape(0)});
           })
      .def("play",
           [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> moves) {
             const Words words = positions_of(e, positions);
             const auto squares = one_per_position(moves, positions.shape(0), "moves");
             std::vector<std::uint64_t> next(words.size());
             e.play(words, squares, next);
             return to_numpy(std::move(next), {positions.shape(0), positions.shape(1)});
           })
      .def("score",
           [](const Engine& e, In<std::uint64_t> positions) {
             const Words words = positions_of(e, positions);
             std::vector<std::int32_t> scores(positions.shape(0));
             e.score(words, scores);
             return to_numpy(std::move(scores), {positions.shape(0)});
           })
      .def("transform",
           [](const Engine& e, In<std::uint64_t> positions, In<std::uint8_t> symmetries) {
             const Words words = positions_of(e, positions);
             const auto indices = one_per_position(symmetries, positions.shape(0), "symmetries");
             std::vector<std::uint64_t> images(words.size());
             {
               nb::gil_scoped_release release;
               e.transform(words, indices, images);
             }
             return to_numpy(std::move(images), {positions.shape(0), positions.shape(1)});
           })
      .def("canonical",
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
           })
      .def("symmetry_squares",
           [](const Engine& e) {
             const auto symmetries = static_cast<std::size_t>(e.info().symmetries);
             return to_numpy(e.symmetry_squares(), {symmetries, static_cast<std::size_t>(e.info().squares)});
           })
      .def("planes",
           [](const Engine& e, In<std::uint64_t> positions) {
             const Words words = positions_of(e, positions);
             const auto columns = static_cast<std::size_t>(e.info().columns);
             const auto rows = static_cast<std::size_t>(e.info().rows);
             std::vector<float> planes(positions.shape(0) * 2 * rows * columns);
             {
               nb::gil_scoped_release release;
               e.planes(words, planes);
             }
             return to_numpy(std::move(planes), {positions.shape(0), 2, rows, columns});
           })
      .def("values",
           [](const Engine& e, In<std::int32_t> scores, float margin) {
             if (scores.ndim() != 1) throw std::invalid_argument("scores of shape " + shape_text(scores) + ": [B] is allowed");
             std::vector<float> values(scores.size());
             for (std::size_t i = 0; i < values.size(); ++i) values[i] = e.value_of(scores.data()[i], margin);
             return to_numpy(std::move(values), {scores.shape(0)});
           })
      .def("to_text",
           [](const Engine& e, In<std::uint64_t> position, bool first_to_move) {
             return e.to_text(position_of(e, position), first_to_move);
           })
      .def("from_text",
           [](const Engine& e, std::string_view text) {
             auto [packed, first_to_move] = e.from_text(text);
             const std::size_t size = packed.size();
             return std::make_pair(to_numpy(std::move(packed), {size}), first_to_move);
           })
      .def("perft", [](const Engine& e, In<std::uint64_t> position, int depth) {
        const Words packed = position_of(e, position);
        nb::gil_scoped_release release;
        return e.perft(packed, depth);
      });
}

}  // namespace

NB_MODULE(RLSCOUT_MODULE, module) {
  module.attr("VARIANT") = RLSCOUT_VARIANT;
  module.def("families", &families);
  module.def("engine", &make_engine, nb::arg("game"), nb::arg("scoring") = "empties");
  nb::class_<Engine> engine(module, "Engine");
  bind_rules(engine);
}
