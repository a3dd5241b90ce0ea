// Solver.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/unique_ptr.h>

#include <memory>
#include <optional>

#include "python/arrays.h"
#include "python/bind.h"

namespace rlscout::python {
namespace {

// The options of _native.pyi's SolverOptions, whole or in part.
SolverOptions solver_options(const nb::dict& given) {
  SolverOptions options;
  const Option patterns = [&](const std::string&, nb::handle value) {
    In<std::int32_t> weights;
    if (!nb::try_cast(value, weights)) throw std::invalid_argument("option patterns: an int32 array is allowed");
    options.patterns.assign(weights.data(), weights.data() + weights.size());
  };
  read_options(given, "solver", "SolverOptions",
               {{"table_mb", into(options.table_mb)},
                {"threads", into(options.threads)},
                {"ordering", into(options.ordering)},
                {"seed", into(options.seed)},
                {"hint_ply", into(options.hint_ply)},
                {"statistics", into(options.statistics)},
                {"samples", into(options.samples)},
                {"patterns", patterns}});
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

}  // namespace

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
          "load", [](PythonSolver& s, const std::string& path) { return s.solver->load(path); }, nb::arg("path"),
          nb::call_guard<nb::gil_scoped_release>());
  engine.def(
      "solver",
      [](const Engine& e, const nb::dict& options) {
        return std::make_unique<PythonSolver>(e, e.solver(solver_options(options)));
      },
      nb::arg("options"), nb::keep_alive<0, 1>());
}

}  // namespace rlscout::python
