// Arrays in, arrays out: what the classes of the module have in common.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace rlscout::python {

namespace nb = nanobind;

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
inline Words positions_of(const Engine& engine, const In<std::uint64_t>& positions) {
  const std::size_t width = 2 * static_cast<std::size_t>(engine.info().words);
  if (positions.ndim() != 2 || positions.shape(1) != width)
    throw std::invalid_argument("positions of shape " + shape_text(positions) + ": " + engine.info().name +
                                " takes [B, " + std::to_string(width) + "]");
  return {positions.data(), positions.size()};
}

inline Words position_of(const Engine& engine, const In<std::uint64_t>& position) {
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

// What one option of a dictionary does; raises where the value is none for it.
using Option = std::function<void(const std::string& name, nb::handle value)>;

// What a variable takes, in words.
template <class T>
std::string kind_of() {
  if constexpr (std::is_same_v<T, bool>) return "True or False";
  if constexpr (std::is_integral_v<T>)
    return "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  if constexpr (std::is_floating_point_v<T>) return "a number";
  return std::is_same_v<T, std::string> ? "text" : "a list of texts";
}

// Sets a variable, to a value of its type.
template <class T>
Option into(T& variable) {
  return [&variable](const std::string& name, nb::handle value) {
    if (!nb::try_cast(value, variable))
      throw std::invalid_argument("option " + name + ": " + nb::cast<std::string>(nb::repr(value)) + "; " +
                                  kind_of<T>() + " is allowed");
  };
}

// Takes what is given of the options of a kind, a class of _native.pyi.
inline void read_options(const nb::dict& given, const char* kind, const char* type,
                         const std::map<std::string, Option>& options) {
  for (const auto& [key, value] : given) {
    const std::string name = nb::cast<std::string>(nb::str(key));
    const auto option = options.find(name);
    if (option == options.end())
      throw std::invalid_argument(std::string("unknown ") + kind + " option '" + name + "': see " + type +
                                  " in _native.pyi");
    option->second(name, value);
  }
}

}  // namespace rlscout::python
