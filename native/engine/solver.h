// Exact search as Python sees it: a solver owns a table and runs one job at a time on native threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/claim.h"
#include "search/limits.h"

namespace rlscout {

using Words = std::span<const std::uint64_t>;  // B * 2W: packed positions, see engine.h

struct SolverOptions {
  int table_mb = 64;
  int threads = 1;                  // 1: node counts repeat to the unit
  std::string ordering = "static";  // or "random"; hints, where given, come first
  std::uint64_t seed = 0;           // of the random ordering
  int hint_ply = 0;                 // positions at this ply below the root and above wait for hints; 0: none does
  bool statistics = false;
  int samples = 0;  // positions that Solver::samples keeps for each number of empties and thread
  std::vector<std::int32_t>
      patterns;  // weights of a pattern table [stages * stage_size], see Engine::pattern_shape; empty: none
};

// Where a game has pattern tables: one table per number of empties, the indices of `features` weights to a position.
struct PatternShape {
  int first_stage = 0, stages = 0, stage_size = 0, features = 0;
};

struct SolveProgress {
  bool running;
  std::uint64_t nodes, evaluations;
  double seconds;
  int lower, upper;  // proven so far for the root, side to move
  int ply;           // of the move last completed nearest the root
  double done;       // rough share of the current claim, 0 to 1
};

struct SolveResult {
  std::string status;  // "proven", "limit", "stopped", "wanted" (hints are missing) or "disproved" (bounds to certify)
  int lower, upper;    // lower <= score <= upper is proven, whatever the status
  int best_move;       // a square proven to reach `lower`; -1: pass, none known or game over
  std::vector<int> principal_variation;
  std::uint64_t nodes, evaluations;  // over all jobs since the last reset
  double seconds;                    // of this job
  std::vector<std::int64_t> nodes_by_ply, cut_nodes_by_ply,
      first_cuts_by_ply;  // [max_plies + 1], empty without statistics
};

class Solver {
 public:
  virtual ~Solver() = default;

  // Starts proving the score of a valid position inside (lower, upper) and returns at once; throws std::invalid_argument for
  // an empty window, std::logic_error while a job runs.
  virtual void start(Words position, std::optional<int> lower, std::optional<int> upper, Limits limits) = 0;
  // Starts writing the certificate that bounds.lower <= score <= bounds.upper and returns at once; `text` is the position
  // with its colours. The file appears when it is complete; throws std::invalid_argument where its place cannot be written.
  virtual void start_certificate(Words position, std::string text, std::string path, Bounds bounds, int leaf_empties,
                                 Limits limits) = 0;
  virtual SolveProgress progress() const = 0;
  virtual bool wait(double seconds) = 0;            // true when no job runs any more; throws what ended the last one
  virtual void stop() = 0;                          // asks the job to end; it does within milliseconds
  virtual SolveResult result() = 0;                 // of the job that has ended; throws what ended it
  virtual std::vector<std::uint64_t> wanted() = 0;  // n * 2W: positions that the last job met without a hint
  // n * 2W: positions considered as replies, a uniform choice for each number of empties, since the last reset.
  virtual std::vector<std::uint64_t> samples() = 0;
  virtual void add_hints(Words positions, std::span<const float> policy,
                         std::span<const float> value) = 0;  // n, n * S, n
  virtual void reset() = 0;                                  // forgets table, hints, samples and counters
  // The state of the proofs so far (engine/table_file.h) to a file, whole or not at all, while a job runs or not; and back, in place
  // of what the solver knew. The nodes spent on it are counted with those of later jobs; the note, a line, comes back. Both throw std::invalid_argument, load also
  // std::logic_error while a job runs.
  virtual void save(const std::string& path, const std::string& note) const = 0;
  virtual std::string load(const std::string& path) = 0;
};

}  // namespace rlscout
