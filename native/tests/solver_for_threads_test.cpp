// What becomes of a solver whose search throws, as where memory ends: the error is told, and the next proof works.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <new>
#include <string>
#include <thread>

#include "engine/solver_for.h"
#include "tests/col_search_traits.h"

using namespace rlscout;
using col::Col;

namespace {

// How the search of Col fails below, at the next node that is expanded.
enum class Failure { kNone, kAnywhere, kInHelper };
std::atomic<Failure> failure{Failure::kNone};
std::atomic<std::thread::id> first_thread;

void may_fail() {
  std::thread::id nobody;
  first_thread.compare_exchange_strong(nobody, std::this_thread::get_id());
  if (failure == Failure::kNone) return;
  if (failure == Failure::kAnywhere || first_thread.load() != std::this_thread::get_id()) throw std::bad_alloc();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // so that helpers come to their share
}

class FailingCol : public Col {};

}  // namespace

template <>
class rlscout::SearchTraits<FailingCol> : public SearchTraits<col::Col> {
 public:
  explicit SearchTraits(const FailingCol& game, Knowledge = {}) : SearchTraits<col::Col>(game) {}
  static Bounds expand(const Node& node, int bound, ChildList& children) {
    may_fail();
    return SearchTraits<col::Col>::expand(node, bound, children);
  }
};

namespace {

struct Case {
  explicit Case(int threads, int hint_ply = 0) : solver(FailingCol(), info, options_of(threads, hint_ply)) {
    failure = Failure::kNone;
  }
  ~Case() { failure = Failure::kNone; }

  static SolverOptions options_of(int threads, int hint_ply) {
    SolverOptions options;
    options.table_mb = 1, options.threads = threads, options.hint_ply = hint_ply;
    return options;
  }

  void start() {
    first_thread = std::thread::id();
    solver.start(position, {}, {}, {});
  }
  SolveResult solve() {
    start();
    REQUIRE(solver.wait(60.0));
    return solver.result();
  }

  GameInfo info{"col9", "last", Col::kSquares, 1, Col::kSquares, 1, 2, Col::max_plies(), -1, 1};
  std::uint64_t position[2]{};
  SolverFor<FailingCol> solver;
};

}  // namespace

TEST_CASE("what a search throws is the job's error, and the next proof works") {
  for (const int threads : {1, 3})
    for (const Failure way : {Failure::kAnywhere, Failure::kInHelper}) {
      if (threads == 1 && way == Failure::kInHelper) continue;
      Case it(threads);
      failure = way;
      it.start();
      CHECK_THROWS_AS(it.solver.wait(60.0), std::bad_alloc);
      CHECK_THROWS_AS(it.solver.result(), std::bad_alloc);
      failure = Failure::kNone;
      CHECK(it.solve().status == "proven");
    }
}

TEST_CASE("a failed job has no result, not that of the job before") {
  Case it(1);
  CHECK(it.solve().status == "proven");
  it.solver.reset();
  failure = Failure::kAnywhere;
  it.start();
  CHECK_THROWS_AS(it.solver.wait(60.0), std::bad_alloc);
  CHECK_THROWS_AS(it.solver.result(), std::bad_alloc);
  CHECK(it.solver.progress().seconds == 0.0);
}

TEST_CASE("positions wait for hints again after a certificate whose proof has thrown") {
  Case it(1, 2);
  const std::string path = std::string(P_tmpdir) + "/rlscout_solver_for_test." + std::to_string(::getpid());
  failure = Failure::kAnywhere;
  it.solver.start_certificate(it.position, "--------- X", path, {-1, -1}, 0, {});
  CHECK_THROWS_AS(it.solver.wait(60.0), std::bad_alloc);
  failure = Failure::kNone;
  CHECK(it.solve().status == "wanted");
}
