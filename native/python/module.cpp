// The Python module: arrays in, arrays out, the GIL released while native code works. src/rlscout/_native.pyi is the contract.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "engine/batched_search_job.h"
#include "engine/engine.h"
#include "engine/policy.h"
#include "inference/tower.h"

namespace nb = nanobind;
using namespace rlscout;

template <>
struct nanobind::detail::dtype_traits<Half> {
  static constexpr dlpack::dtype value{static_cast<std::uint8_t>(dlpack::dtype_code::Float), 16, 1};
  static constexpr auto name = const_name("float16");
};

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
             if (scores.ndim() != 1)
               throw std::invalid_argument("scores of shape " + shape_text(scores) + ": [B] is allowed");
             if (!(margin >= 0.0f && margin <= 1.0f))
               throw std::invalid_argument("margin " + std::to_string(margin) + ": 0 to 1 is allowed");
             std::vector<float> values(scores.size());
             for (std::size_t i = 0; i < values.size(); ++i) values[i] = e.value_of(scores.data()[i], margin);
             return to_numpy(std::move(values), {scores.shape(0)});
           })
      .def("to_text", [](const Engine& e, In<std::uint64_t> position,
                         bool first_to_move) { return e.to_text(position_of(e, position), first_to_move); })
      .def("from_text",
           [](const Engine& e, std::string_view text) {
             auto [packed, first_to_move] = e.from_text(text);
             const std::size_t size = packed.size();
             return std::make_pair(to_numpy(std::move(packed), {size}), first_to_move);
           })
      .def_prop_ro("pattern_shape",
                   [](const Engine& e) {
                     const PatternShape shape = e.pattern_shape();
                     return std::make_tuple(shape.first_stage, shape.stages, shape.stage_size, shape.features);
                   })
      .def("pattern_features",
           [](const Engine& e, In<std::uint64_t> positions) {
             const Words words = positions_of(e, positions);
             const auto features = static_cast<std::size_t>(e.pattern_shape().features);
             std::vector<std::int32_t> indices(positions.shape(0) * features);
             {
               nb::gil_scoped_release release;
               e.pattern_features(words, indices);
             }
             return to_numpy(std::move(indices), {positions.shape(0), features});
           })
      .def("exact_labels",
           [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> patterns) {
             return labels<std::int64_t>(e, positions, patterns, &Engine::exact_labels);
           })
      .def("labels_ahead",
           [](const Engine& e, In<std::uint64_t> positions, In<std::int32_t> patterns) {
             return labels<std::int32_t>(e, positions, patterns, &Engine::labels_ahead);
           })
      .def("perft", [](const Engine& e, In<std::uint64_t> position, int depth) {
        const Words packed = position_of(e, position);
        nb::gil_scoped_release release;
        return e.perft(packed, depth);
      });
}

template <class T>
void set(T& option, const std::string& name, nb::handle value) {
  if (!nb::try_cast(value, option))
    throw std::invalid_argument("option " + name + ": " + nb::cast<std::string>(nb::repr(value)) +
                                " is not of the option's type");
}

// The options of _native.pyi's SearchOptions, whole or in part.
SearchOptions search_options(const nb::dict& given) {
  SearchOptions options;
  for (const auto& [key, value] : given) {
    const std::string name = nb::cast<std::string>(nb::str(key));
    if (name == "mode") {
      std::string mode;
      set(mode, name, value);
      options.mode = search_mode(mode);
    } else if (name == "players") {
      std::vector<std::string> players;
      set(players, name, value);
      options.players.clear();
      for (const auto& player : players) options.players.push_back(search_player(player));
    } else if (name == "games") {
      set(options.games, name, value);
    } else if (name == "total_games") {
      set(options.total_games, name, value);
    } else if (name == "first_game") {
      set(options.first_game, name, value);
    } else if (name == "simulations") {
      set(options.simulations, name, value);
    } else if (name == "c_puct") {
      set(options.c_puct, name, value);
    } else if (name == "fpu") {
      set(options.fpu, name, value);
    } else if (name == "noise_alpha") {
      set(options.noise_alpha, name, value);
    } else if (name == "noise_weight") {
      set(options.noise_weight, name, value);
    } else if (name == "temperature") {
      set(options.temperature, name, value);
    } else if (name == "temperature_plies") {
      set(options.temperature_plies, name, value);
    } else if (name == "opening_plies") {
      set(options.opening_plies, name, value);
    } else if (name == "margin") {
      set(options.margin, name, value);
    } else if (name == "reuse_tree") {
      set(options.reuse_tree, name, value);
    } else if (name == "symmetries") {
      set(options.symmetries, name, value);
    } else if (name == "fold") {
      set(options.fold, name, value);
    } else if (name == "cache") {
      set(options.cache, name, value);
    } else if (name == "seed") {
      set(options.seed, name, value);
    } else if (name == "threads") {
      set(options.threads, name, value);
    } else {
      throw std::invalid_argument("unknown search option '" + name + "': see SearchOptions in _native.pyi");
    }
  }
  return options;
}

// Rows of different lengths as one array, as wide as the longest.
Out<std::int32_t> padded_rows(const std::vector<std::int32_t>& lengths, const std::vector<std::int32_t>& values,
                              std::int32_t padding) {
  const std::size_t width =
      lengths.empty() ? 0 : static_cast<std::size_t>(*std::max_element(lengths.begin(), lengths.end()));
  std::vector<std::int32_t> rows(lengths.size() * width, padding);
  auto value = values.begin();
  for (std::size_t row = 0; row < lengths.size(); value += lengths[row++])
    std::copy_n(value, lengths[row], rows.begin() + static_cast<std::ptrdiff_t>(row * width));
  return to_numpy(std::move(rows), {lengths.size(), width});
}

nb::dict finished_games(const Engine& engine, FinishedGames games) {
  const auto width = 2 * static_cast<std::size_t>(engine.info().words);
  const auto squares = static_cast<std::size_t>(engine.info().squares);
  const std::size_t n = games.game.size(), t = games.move.size();
  nb::dict result;
  result["game"] = to_numpy(std::move(games.game), {n});
  result["length"] = to_numpy(std::move(games.length), {n});
  result["score"] = to_numpy(std::move(games.score), {n});
  result["player_first"] = to_numpy(std::move(games.player_first), {n});
  result["opening"] = padded_rows(games.opening_length, games.opening, -1);
  result["positions"] = to_numpy(std::move(games.positions), {t, width});
  result["visits"] = to_numpy(std::move(games.visits), {t, squares});
  result["value"] = to_numpy(std::move(games.value), {t});
  result["outcome"] = to_numpy(std::move(games.outcome), {t});
  result["move"] = to_numpy(std::move(games.move), {t});
  result["ply"] = to_numpy(std::move(games.ply), {t});
  result["player"] = to_numpy(std::move(games.player), {t});
  return result;
}

nb::dict root_statistics(const Engine& engine, RootStatistics roots) {
  const std::size_t n = roots.root_value.size(), squares = static_cast<std::size_t>(engine.info().squares);
  nb::dict result;
  result["visits"] = to_numpy(std::move(roots.visits), {n, squares});
  result["prior"] = to_numpy(std::move(roots.prior), {n, squares});
  result["value"] = to_numpy(std::move(roots.value), {n, squares});
  result["root_value"] = to_numpy(std::move(roots.root_value), {n});
  return result;
}

nb::dict search_counters(const SearchCounters& counters) {
  nb::dict result;
  result["simulations"] = counters.simulations;
  result["evaluations"] = counters.evaluations;
  result["known"] = counters.known;
  result["rollouts"] = counters.rollouts;
  result["moves"] = counters.moves;
  result["games"] = counters.games;
  result["nodes"] = counters.nodes;
  result["tree_bytes"] = counters.tree_bytes;
  return result;
}

// A batched search and the engine that it came from.
struct PythonSearch {
  const Engine& engine;
  std::unique_ptr<BatchedSearchJob> job;
  // What take_games answers most often, made once: a dozen arrays take longer than the rest of a round in Python.
  nb::dict no_games;
};

// Arrays that gather writes to: never a converted copy.
using Writable = nb::ndarray<std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Weight>
void scatter(PythonSearch& s, int player, In<Weight> policy, In<float> value) {
  nb::gil_scoped_release release;
  s.job->scatter(player, std::span(policy.data(), policy.size()), {value.data(), value.size()});
}

void bind_batched_search(nb::module_& module, nb::class_<Engine>& engine) {
  nb::class_<PythonSearch>(module, "BatchedSearch")
      .def("set_positions",
           [](PythonSearch& s, In<std::uint64_t> positions) {
             const Words words = positions_of(s.engine, positions);
             s.engine.validate(words);
             s.job->set_positions(words);
           })
      .def(
          "gather",
          [](PythonSearch& s, int player, Writable positions, Writable legal, double seconds) {
            const auto words = static_cast<std::size_t>(s.engine.info().words);
            if (positions.shape(1) != 2 * words || legal.shape(1) != words || positions.shape(0) != legal.shape(0))
              throw std::invalid_argument("positions [" + std::to_string(positions.shape(0)) + ", " +
                                          std::to_string(positions.shape(1)) + "] and legal [" +
                                          std::to_string(legal.shape(0)) + ", " + std::to_string(legal.shape(1)) +
                                          "]: " + s.engine.info().name + " takes [n, " + std::to_string(2 * words) +
                                          "] and [n, " + std::to_string(words) + "]");
            nb::gil_scoped_release release;
            return s.job->gather(player, {positions.data(), positions.size()}, {legal.data(), legal.size()}, seconds);
          },
          nb::arg("player"), nb::arg("positions").noconvert(), nb::arg("legal").noconvert(), nb::arg("seconds") = 0.1)
      .def("scatter", &scatter<float>, nb::arg("player"), nb::arg("policy"), nb::arg("value"))
      .def("scatter", &scatter<Half>, nb::arg("player"), nb::arg("policy").noconvert(), nb::arg("value"))
      .def("forget_answers", [](PythonSearch& s) { s.job->forget_answers(); })
      .def("take_games",
           [](PythonSearch& s) {
             FinishedGames games = s.job->take_games();
             if (games.game.empty()) return nb::steal<nb::dict>(PyDict_Copy(s.no_games.ptr()));
             return finished_games(s.engine, std::move(games));
           })
      .def("root_statistics", [](const PythonSearch& s) { return root_statistics(s.engine, s.job->root_statistics()); })
      .def("finished", [](const PythonSearch& s) { return s.job->finished(); })
      .def("counters", [](const PythonSearch& s) { return search_counters(s.job->counters()); })
      .def("repeated_nodes", [](const PythonSearch& s) {
        const RepeatedNodes found = s.job->repeated_nodes();
        return nb::make_tuple(found.nodes, found.repeated);
      });
  engine.def(
      "batched_search",
      [](const Engine& e, const nb::dict& options) {
        return std::make_unique<PythonSearch>(e, e.batched_search(search_options(options)), finished_games(e, {}));
      },
      nb::arg("options"), nb::keep_alive<0, 1>());
}

// The options of _native.pyi's SolverOptions, whole or in part.
SolverOptions solver_options(const nb::dict& given) {
  SolverOptions options;
  for (const auto& [key, value] : given) {
    const std::string name = nb::cast<std::string>(nb::str(key));
    if (name == "table_mb") {
      set(options.table_mb, name, value);
    } else if (name == "threads") {
      set(options.threads, name, value);
    } else if (name == "ordering") {
      set(options.ordering, name, value);
    } else if (name == "seed") {
      set(options.seed, name, value);
    } else if (name == "hint_ply") {
      set(options.hint_ply, name, value);
    } else if (name == "statistics") {
      set(options.statistics, name, value);
    } else if (name == "samples") {
      set(options.samples, name, value);
    } else if (name == "patterns") {
      In<std::int32_t> weights;
      if (!nb::try_cast(value, weights)) throw std::invalid_argument("option patterns: an int32 array is allowed");
      options.patterns.assign(weights.data(), weights.data() + weights.size());
    } else {
      throw std::invalid_argument("unknown solver option '" + name + "': see SolverOptions in _native.pyi");
    }
  }
  return options;
}

nb::dict solve_progress(const SolveProgress& progress) {
  nb::dict result;
  result["running"] = progress.running;
  result["nodes"] = progress.nodes;
  result["evaluations"] = progress.evaluations;
  result["seconds"] = progress.seconds;
  result["lower"] = progress.lower;
  result["upper"] = progress.upper;
  result["ply"] = progress.ply;
  result["done"] = progress.done;
  return result;
}

nb::dict solve_result(SolveResult solved) {
  const std::size_t plies = solved.nodes_by_ply.size();
  nb::dict result;
  result["status"] = solved.status;
  result["lower"] = solved.lower;
  result["upper"] = solved.upper;
  result["best_move"] = solved.best_move;
  result["principal_variation"] = solved.principal_variation;
  result["nodes"] = solved.nodes;
  result["evaluations"] = solved.evaluations;
  result["seconds"] = solved.seconds;
  result["nodes_by_ply"] = to_numpy(std::move(solved.nodes_by_ply), {plies});
  result["cut_nodes_by_ply"] = to_numpy(std::move(solved.cut_nodes_by_ply), {plies});
  result["first_cuts_by_ply"] = to_numpy(std::move(solved.first_cuts_by_ply), {plies});
  return result;
}

auto packed_positions(const Engine& engine, std::vector<std::uint64_t> packed) {
  const auto width = 2 * static_cast<std::size_t>(engine.info().words);
  const std::size_t n = packed.size() / width;
  return to_numpy(std::move(packed), {n, width});
}

// A solver and the engine that it came from.
struct PythonSolver {
  const Engine& engine;
  std::unique_ptr<Solver> solver;
};

void bind_solver(nb::module_& module, nb::class_<Engine>& engine) {
  nb::class_<PythonSolver>(module, "Solver")
      .def(
          "start",
          [](PythonSolver& s, In<std::uint64_t> position, std::optional<int> lower, std::optional<int> upper,
             std::optional<std::uint64_t> nodes, std::optional<double> seconds) {
            const Words words = position_of(s.engine, position);
            s.engine.validate(words);
            Limits limits;
            if (nodes) limits.nodes = *nodes;
            if (seconds) limits.seconds = *seconds;
            s.solver->start(words, lower, upper, limits);
          },
          nb::arg("position"), nb::arg("lower") = nb::none(), nb::arg("upper") = nb::none(),
          nb::arg("nodes") = nb::none(), nb::arg("seconds") = nb::none())
      .def(
          "start_certificate",
          [](PythonSolver& s, In<std::uint64_t> position, std::string path, int lower, int upper, int leaf_empties,
             std::optional<double> seconds, bool first_to_move) {
            const Words words = position_of(s.engine, position);
            Limits limits;
            if (seconds) limits.seconds = *seconds;
            s.solver->start_certificate(words, s.engine.to_text(words, first_to_move), std::move(path), {lower, upper},
                                        leaf_empties, limits);
          },
          nb::arg("position"), nb::arg("path"), nb::arg("lower"), nb::arg("upper"), nb::arg("leaf_empties"),
          nb::arg("seconds") = nb::none(), nb::arg("first_to_move") = true)
      .def("progress", [](const PythonSolver& s) { return solve_progress(s.solver->progress()); })
      .def(
          "wait",
          [](PythonSolver& s, double seconds) {
            nb::gil_scoped_release release;
            return s.solver->wait(seconds);
          },
          nb::arg("seconds"))
      .def("stop", [](PythonSolver& s) { s.solver->stop(); })
      .def("result", [](PythonSolver& s) { return solve_result(s.solver->result()); })
      .def("wanted", [](PythonSolver& s) { return packed_positions(s.engine, s.solver->wanted()); })
      .def("samples", [](PythonSolver& s) { return packed_positions(s.engine, s.solver->samples()); })
      .def(
          "add_hints",
          [](PythonSolver& s, In<std::uint64_t> positions, In<float> policy, In<float> value) {
            const Words words = positions_of(s.engine, positions);
            const std::size_t n = positions.shape(0), squares = static_cast<std::size_t>(s.engine.info().squares);
            s.engine.validate(words);
            if (policy.ndim() != 2 || policy.shape(0) != n || policy.shape(1) != squares)
              throw std::invalid_argument("policy of shape " + shape_text(policy) + ": [" + std::to_string(n) + ", " +
                                          std::to_string(squares) + "] is allowed");
            s.solver->add_hints(words, {policy.data(), policy.size()}, one_per_position(value, n, "value"));
          },
          nb::arg("positions"), nb::arg("policy"), nb::arg("value"))
      .def("reset", [](PythonSolver& s) { s.solver->reset(); })
      .def(
          "save",
          [](const PythonSolver& s, const std::string& path, const std::string& note) { s.solver->save(path, note); },
          nb::arg("path"), nb::arg("note") = "", nb::call_guard<nb::gil_scoped_release>())
      .def(
          "load", [](PythonSolver& s, const std::string& path) { return s.solver->load(path); },
          nb::call_guard<nb::gil_scoped_release>());
  engine.def(
      "solver",
      [](const Engine& e, const nb::dict& options) {
        return std::make_unique<PythonSolver>(e, e.solver(solver_options(options)));
      },
      nb::arg("options"), nb::keep_alive<0, 1>());
}

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
  const auto policy_weight = tensor<std::int16_t>(t, "policy_weight"),
             hidden_weight = tensor<std::int16_t>(t, "hidden_weight");
  const auto residual_scale = tensor<float>(t, "residual_scale");
  const auto planes = [&](std::span<const std::int16_t> weight, std::span<const float> bias) {
    const auto squares = static_cast<std::size_t>(std::max(1, rows) * std::max(1, columns));
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

void bind_inference(nb::module_& module) {
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

}  // namespace

NB_MODULE(RLSCOUT_MODULE, module) {
  nb::set_leak_warnings(false);  // engines live in caches until the process ends
  module.attr("VARIANT") = RLSCOUT_VARIANT;
  module.def("families", &families);
  module.def("engine", &make_engine, nb::arg("game"), nb::arg("scoring") = "empties");
  module.def("masked_softmax", &policies_of, nb::arg("logits"), nb::arg("legal"));
  nb::class_<Engine> engine(module, "Engine");
  bind_rules(engine);
  bind_solver(module, engine);
  bind_batched_search(module, engine);
  bind_inference(module);
}
