// SolverFor<Game>: the solver's boundary filled in from the templates.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/game.h"
#include "engine/atomic_file.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/solver.h"
#include "engine/table_file.h"
#include "search/alphabeta.h"
#include "search/certificate.h"
#include "search/score.h"

namespace rlscout {

// Learned weights as the search takes them; throws where a game has no use for them.
template <Game G>
typename AlphaBeta<G>::Knowledge knowledge_of(std::span<const std::int32_t> patterns) {
  if (patterns.empty()) return {};
  if constexpr (requires { typename SearchTraits<G>::Patterns; })
    return std::make_shared<const typename SearchTraits<G>::Patterns>(patterns);
  else
    throw std::invalid_argument("patterns: this game has no pattern tables");
}

template <Game G>
class SolverFor : public Solver {
  using Position = typename G::Position;
  static constexpr int kWords = G::kWords;

 public:
  SolverFor(const G& game, const GameInfo& info, const SolverOptions& options)
      : game_(game), info_(info), search_(game, checked(options), knowledge_of<G>(options.patterns)) {}

  ~SolverFor() override { stop(); }

  void start(Words packed, std::optional<int> lower, std::optional<int> upper, Limits limits) override {
    const Bounds window{lower.value_or(info_.min_score - 1), upper.value_or(info_.max_score + 1)};
    if (window.lower >= window.upper)
      throw std::invalid_argument("window (" + std::to_string(window.lower) + ", " + std::to_string(window.upper) +
                                  "): lower must be below upper");
    require_idle("start");
    const Position position = game_.unpack(packed.data());
    begin(limits);
    job_.start([=, this] { solve(position, window, *budget_); });
  }

  void start_certificate(Words packed, std::string text, std::string path, Bounds bounds, int leaf_empties,
                         Limits limits) override {
    const auto [lower, upper] = bounds;
    if (lower > upper || upper < info_.min_score || lower > info_.max_score ||
        (lower <= info_.min_score && upper >= info_.max_score))
      throw std::invalid_argument("bounds " + std::to_string(lower) + " to " + std::to_string(upper) +
                                  ": a certificate takes lower <= upper, one of them inside the range of scores");
    if (leaf_empties < 0)
      throw std::invalid_argument("leaf_empties " + std::to_string(leaf_empties) + ": allowed is 0 and more");
    require_idle("start_certificate");
    const Position position = game_.unpack(packed.data());
    auto file = std::make_shared<AtomicFile>(std::move(path));
    begin(limits);
    walk_ = std::make_unique<CertificateWalk<G, AlphaBeta<G>>>(game_, search_, leaf_empties);
    job_.start([=, this] { certify(position, text, *file, bounds, leaf_empties, *budget_); });
  }

  SolveProgress progress() const override {
    const bool running = job_.running();
    const auto& at = search_.progress();
    return {running,
            before_.nodes + (budget_ ? budget_->nodes() : 0),
            running ? 0 : total().evaluations,
            running ? budget_->seconds() : result_.seconds,
            proven_.lower,
            proven_.upper,
            at.ply,
            walk_ ? walk_->done() : at.done.load()};
  }

  bool wait(double seconds) override { return job_.wait(seconds); }

  void stop() override {
    if (budget_) budget_->stop();
  }

  SolveResult result() override {
    require_idle("result");
    if (!budget_) throw std::logic_error("no job has been started");
    job_.wait(0.0);  // throws where the job failed
    return result_;
  }

  std::vector<std::uint64_t> wanted() override {
    require_idle("wanted");
    return packed(search_.wanted());
  }

  std::vector<std::uint64_t> samples() override {
    require_idle("samples");
    return packed(search_.samples());
  }

  void add_hints(Words positions, std::span<const float> policy, std::span<const float> value) override {
    require_idle("add_hints");
    for (std::size_t i = 0; i < value.size(); ++i)
      search_.hints().add(game_.unpack(&positions[i * 2 * kWords]),
                          &policy[i * static_cast<std::size_t>(info_.squares)], value[i]);
  }

  void save(const std::string& path, const std::string& note) const override {
    const Counters spent = job_.running() ? Counters{before_.nodes + budget_->nodes(), before_.evaluations}
                                          : total();  // about, while it runs
    save_table(search_.table(), info_.name, info_.scoring, spent, note, path);
  }

  std::string load(const std::string& path) override {
    require_idle("load");
    reset();
    TableFileHead head = load_table(search_.table(), info_.name, info_.scoring, info_.max_score, path);
    before_ = spent_ = head.spent;
    return std::move(head.note);
  }

  void reset() override {
    require_idle("reset");
    search_.reset();
    budget_.reset();
    root_ = {};
    spent_ = {}, before_ = {};
  }

 private:
  // While it lives, no position waits for hints; then they do again, also where a proof has thrown.
  class WithoutHints {
   public:
    explicit WithoutHints(AlphaBeta<G>& search) : search_(search) { search_.wait_for_hints(false); }
    WithoutHints(const WithoutHints&) = delete;
    WithoutHints& operator=(const WithoutHints&) = delete;
    ~WithoutHints() { search_.wait_for_hints(true); }

   private:
    AlphaBeta<G>& search_;
  };

  static AlphaBetaOptions checked(const SolverOptions& options) {
    const auto require = [](bool good, const std::string& what, long long given, const std::string& allowed) {
      if (!good) throw std::invalid_argument(what + " " + std::to_string(given) + ": allowed is " + allowed);
    };
    require(options.table_mb >= 1 && options.table_mb <= 1 << 20, "table_mb", options.table_mb, "1 to 1048576");
    require(options.threads >= 1 && options.threads <= 256, "threads", options.threads, "1 to 256");
    require(options.hint_ply >= 0, "hint_ply", options.hint_ply, "0 and more");
    require(options.samples >= 0, "samples", options.samples, "0 and more");
    if (options.ordering != "static" && options.ordering != "random")
      throw std::invalid_argument("ordering '" + options.ordering + "': allowed are 'static' and 'random'");
    return {options.table_mb, options.threads,  options.ordering == "random" ? Ordering::kRandom : Ordering::kStatic,
            options.seed,     options.hint_ply, options.statistics,
            options.samples};
  }

  void begin(Limits limits) {
    budget_ = std::make_shared<Budget>(limits);
    proven_.lower = info_.min_score, proven_.upper = info_.max_score;
    before_ = total();
    result_ = {};
    walk_.reset();
  }

  void certify(const Position& position, const std::string& text, AtomicFile& file, Bounds bounds, int leaf_empties,
               Budget& budget) {
    const WithoutHints ordered_as_it_is(search_);
    const Verdict verdict = walk_->walk(position, bounds, budget);
    if (verdict == Verdict::kProved) {
      file.commit(
          certificate_file(certificate_name(game_), info_.scoring, text, bounds, leaf_empties, walk_->witnesses()));
      proven_.lower = bounds.lower, proven_.upper = bounds.upper;
    }
    file.discard();
    SolveResult result;
    result.status = verdict == Verdict::kProved      ? "proven"
                    : verdict == Verdict::kDisproved ? "disproved"
                    : budget.stopped()               ? "stopped"
                                                     : "limit";
    result.lower = proven_.lower, result.upper = proven_.upper;
    result.best_move = -1;
    count(result, budget);
    result_ = std::move(result);
  }

  void solve(const Position& position, Bounds window, Budget& budget) {
    // A job that goes on with the same root keeps what is proven and the age of its entries.
    if (!root_ || *root_ != position) search_.age_table();
    root_ = position;
    ScoreSearch<G, AlphaBeta<G>> question(game_, search_, search_.score_step());
    Answer answer = question.solve(position, window, search_.guess(position), budget, proven_);
    SolveResult result;
    const Bounds& proven = answer.bounds;
    const bool settled = proven.exact() || proven.lower >= window.upper || proven.upper <= window.lower;
    if (settled) {
      const WithoutHints ordered_as_it_is(search_);  // what the table still knows of the line needs none
      if (answer.move == kNoMove && proven.lower > window.lower && game_.phase(position) != Phase::kOver)
        answer.move = question.witness({position, proven.lower}, budget);
      for (const Move move : question.principal_variation(position, answer, budget))
        result.principal_variation.push_back(square(move));
    } else if (answer.move != kNoMove) {
      result.principal_variation.push_back(square(answer.move));
    }
    result.status = settled ? "proven" : !search_.wanted().empty() ? "wanted" : budget.stopped() ? "stopped" : "limit";
    result.lower = proven.lower, result.upper = proven.upper;
    result.best_move = answer.move == kNoMove ? -1 : square(answer.move);
    count(result, budget);
    result_ = std::move(result);
  }

  // Spent since the last reset, and on what was loaded.
  Counters total() const {
    const Counters counters = search_.counters();
    return {spent_.nodes + counters.nodes, spent_.evaluations + counters.evaluations};
  }

  void count(SolveResult& result, const Budget& budget) const {
    const Counters counters = total();
    result.nodes = counters.nodes, result.evaluations = counters.evaluations;
    result.seconds = budget.seconds();
    for (const PlyStatistics& ply : search_.statistics()) {
      result.nodes_by_ply.push_back(static_cast<std::int64_t>(ply.nodes));
      result.cut_nodes_by_ply.push_back(static_cast<std::int64_t>(ply.cut_nodes));
      result.first_cuts_by_ply.push_back(static_cast<std::int64_t>(ply.first_cuts));
    }
  }

  std::vector<std::uint64_t> packed(const std::vector<Position>& positions) const {
    std::vector<std::uint64_t> words(positions.size() * 2 * kWords);
    for (std::size_t i = 0; i < positions.size(); ++i) game_.pack(positions[i], &words[i * 2 * kWords]);
    return words;
  }

  int square(Move move) const { return move == kPass ? -1 : game_.square(move); }

  void require_idle(const char* call) const {
    if (job_.running()) throw std::logic_error(std::string(call) + ": a job is running, wait for it or stop it first");
  }

  G game_;
  GameInfo info_;
  AlphaBeta<G> search_;
  std::shared_ptr<Budget> budget_;
  SharedBounds proven_{};
  Counters spent_{};   // on what was loaded
  Counters before_{};  // spent when the last job began
  std::optional<Position> root_;
  std::unique_ptr<CertificateWalk<G, AlphaBeta<G>>> walk_;  // of the certificate under work, or the last
  SolveResult result_{};
  Job job_;  // last: it ends before what it works on
};

}  // namespace rlscout
