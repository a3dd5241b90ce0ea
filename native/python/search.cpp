// BatchedSearch.
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>

#include "engine/batched_search_job.h"
#include "python/arrays.h"
#include "python/bind.h"

template <>
struct nanobind::detail::dtype_traits<rlscout::Half> {
  static constexpr dlpack::dtype value{static_cast<std::uint8_t>(dlpack::dtype_code::Float), 16, 1};
  static constexpr auto name = const_name("float16");
};

namespace rlscout::python {
namespace {

// The options of _native.pyi's SearchOptions, whole or in part.
SearchOptions search_options(const nb::dict& given) {
  SearchOptions options;
  const Option mode = [&](const std::string& name, nb::handle value) {
    std::string text;
    into(text)(name, value);
    options.mode = search_mode(text);
  };
  const Option players = [&](const std::string& name, nb::handle value) {
    std::vector<std::string> names;
    into(names)(name, value);
    options.players.clear();
    for (const auto& player : names) options.players.push_back(search_player(player));
  };
  read_options(given, "search", "SearchOptions",
               {{"mode", mode},
                {"players", players},
                {"games", into(options.games)},
                {"total_games", into(options.total_games)},
                {"first_game", into(options.first_game)},
                {"simulations", into(options.simulations)},
                {"c_puct", into(options.c_puct)},
                {"fpu", into(options.fpu)},
                {"noise_alpha", into(options.noise_alpha)},
                {"noise_weight", into(options.noise_weight)},
                {"temperature", into(options.temperature)},
                {"temperature_plies", into(options.temperature_plies)},
                {"opening_plies", into(options.opening_plies)},
                {"margin", into(options.margin)},
                {"reuse_tree", into(options.reuse_tree)},
                {"symmetries", into(options.symmetries)},
                {"fold", into(options.fold)},
                {"cache", into(options.cache)},
                {"seed", into(options.seed)},
                {"threads", into(options.threads)}});
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

}  // namespace

void bind_batched_search(nb::module_& module, nb::class_<Engine>& engine) {
  nb::class_<PythonSearch>(module, "BatchedSearch")
      .def(
          "set_positions",
          [](PythonSearch& s, In<std::uint64_t> positions) {
            const Words words = positions_of(s.engine, positions);
            s.engine.validate(words);
            s.job->set_positions(words);
          },
          nb::arg("positions"))
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

}  // namespace rlscout::python
