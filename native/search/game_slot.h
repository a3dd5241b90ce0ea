// One game in flight: its trees, the search for the next move, and the record that becomes samples.
//
//   kSearching --leaf of a network player--> kLeafWaits --answer--> kSearching
//       |  ^   --leaf of a rollout player--> kRolloutWaits --score--> kSearching
//       |  +-- finished game met, move chosen, next game begun
//       +-- no game is left, or the analysis is done --> kIdle
//
// All that happens in a game depends on the seed and its number alone, not on the slot or on what other slots do.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/bits.h"
#include "core/game.h"
#include "core/hash.h"
#include "core/prefetch.h"
#include "core/random.h"
#include "core/value.h"
#include "search/answer_cache.h"
#include "search/openings.h"
#include "search/puct.h"
#include "search/rollout.h"
#include "search/search_options.h"

namespace rlscout {

// What the slots of one batched search share.
template <Game G>
struct SearchShared {
  SearchShared(const G& game_, const SearchOptions& options_)
      : game(game_), options(options_), openings(game, options.opening_plies, options.seed) {
    for (int symmetry = 0; symmetry < game.symmetries(); ++symmetry)
      for (int square = 0; square < game.columns() * game.rows(); ++square) {
        const Move move = game.move_at(square);
        policy_index[symmetry][move] = static_cast<std::uint8_t>(game.square(game.transform(move, symmetry)));
      }
  }

  const G& game;
  const SearchOptions options;
  Openings<G> openings;
  std::atomic<std::int64_t> games_begun{0};
  std::uint8_t policy_index[8][64 * G::kWords] = {};  // where a policy for the image under a symmetry has a move
  std::mutex finished_mutex;
  std::vector<FinishedGames> finished;
};

// What a thread lends to its slots.
template <Game G>
struct Workplace {
  Arena arena;
  AnswerCache<G> answers;
  SearchCounters counters{};  // of what its slots did
};

template <Game G>
class alignas(64) GameSlot {
 public:
  enum class State : std::uint8_t { kSearching, kLeafWaits, kRolloutWaits, kIdle };

  GameSlot(SearchShared<G>& shared, Workplace<G>& place) : shared_(shared), place_(place) {
    const SearchOptions& o = shared.options;
    for (std::size_t player = 0; player < o.players.size(); ++player)
      trees_.emplace_back(shared.game, PuctOptions{o.c_puct, o.fpu, o.margin}, place.arena);
  }

  State state() const { return state_; }
  int player() const { return player_; }  // who searches
  const std::vector<Tree<G>>& trees() const { return trees_; }

  void rest() { state_ = State::kIdle; }

  void begin_analysis(const typename G::Position& position, std::int64_t number) {
    random_ = Random(options().seed, static_cast<std::uint64_t>(number));
    begin(number, {position});
  }

  // Takes the next game of the run; idle where there is none.
  void begin_next_game() {
    const std::int64_t begun = shared_.games_begun++;
    if (options().total_games > 0 && begun >= options().total_games) {
      state_ = State::kIdle;
      return;
    }
    const std::int64_t number = options().first_game + begun;
    random_ = Random(options().seed, static_cast<std::uint64_t>(number));
    record_ = {};
    const Opening<G> opening = options().mode == SearchMode::kDuel
                                   ? shared_.openings[static_cast<std::size_t>(number / 2)]
                                   : random_opening(shared_.game, opening_length(), random_);
    record_.opening_length.push_back(static_cast<std::int32_t>(opening.moves.size()));
    for (const Move move : opening.moves) record_.opening.push_back(shared_.game.square(move));
    begin(number, opening.standing);
  }

  // One ply down the tree, and what follows where the walk ends. False unless the state is kSearching after it.
  bool step() {
    if (tree().step()) {
      tree().prefetch();
      return true;
    }
    if (tree().leaf_is_over()) {
      tree().back_up_finished();
      ++place_.counters.simulations;
    } else if (options().players[static_cast<std::size_t>(player_)] == Player::kNetwork) {
      const auto& leaf = tree().leaf_position();
      symmetry_ = options().symmetries ? symmetry_of(leaf) : 0;
      if (!answer_known(leaf)) {
        state_ = State::kLeafWaits;
        return false;
      }
    } else {
      state_ = State::kRolloutWaits;
      return false;
    }
    return next_walk();
  }
  void prefetch() const { tree().prefetch(); }
  void prefetch_children() const { tree().prefetch_children(); }

  // Ask, in this order and some time apart, for the memory that answer() will use.
  void prefetch_slot() const { rlscout::prefetch(this); }
  void prefetch_tree() const { tree().prefetch_tree(); }
  void prefetch_path() const { tree().prefetch_path(); }

  // Writes the waiting leaf: 2W words of the position, W of its legal moves, both under the symmetry of the evaluation.
  void write_leaf(std::uint64_t* position, std::uint64_t* legal) const {
    const auto& leaf = tree().leaf_position();
    const auto image = shared_.game.transform(leaf, symmetry_);
    shared_.game.pack(image, position);
    shared_.game.pack_moves(symmetry_ == 0 ? tree().leaf_moves() : shared_.game.legal(image), legal);
  }

  // The waiting rollout, and what follows once it has been played.
  Rollout<G> rollout() { return {tree().leaf_position(), &random_, 0}; }
  void take_score(int score) {
    ++place_.counters.rollouts;
    state_ = State::kSearching;
    add_leaf({}, value_of(score, shared_.game.max_score(), options().margin));
    next_walk();
  }

  // What is wrong with an answer to the waiting leaf; empty where nothing is.
  template <class Weight>
  std::string fault(const Weight* policy, float value) const {
    bool good = value >= -1.0f && value <= 1.0f;
    if (!good) return "value " + std::to_string(value) + ": allowed is -1 to 1";
    const std::uint8_t* index = shared_.policy_index[symmetry_];
    for_each_bit(tree().leaf_moves(), [&](int move) {
      const float weight = policy[index[move]];
      good &= weight >= 0.0f && weight <= std::numeric_limits<float>::max();
    });
    return good ? "" : "a policy with a negative or infinite weight of a legal move: allowed are finite weights >= 0";
  }

  // Adds the network's answer, and keeps it where `keep` says so. Weights of policy that are all zero on legal moves stand for
  // the uniform prior.
  template <class Weight>
  void answer(const Weight* policy, float value, bool keep) {
    if (keep && place_.answers.keeps()) {
      const auto image = shared_.game.transform(tree().leaf_position(), symmetry_);
      place_.answers.keep(image, shared_.game.key(image), policy, value);
    }
    state_ = State::kSearching;
    add_answer(policy, value);
    next_walk();
  }

 private:
  bool answer_known(const typename G::Position& leaf) {
    if (!place_.answers.keeps()) return false;
    const auto image = shared_.game.transform(leaf, symmetry_);
    const auto known = place_.answers.find(image, shared_.game.key(image));
    if (known.policy == nullptr) return false;
    ++place_.counters.known;
    add_answer(known.policy, known.value);
    return true;
  }

  template <class Weight>
  void add_answer(const Weight* policy, float value) {
    float priors[64 * G::kWords];
    std::size_t moves = 0;
    float total = 0.0f;
    const std::uint8_t* index = shared_.policy_index[symmetry_];
    for_each_bit(tree().leaf_moves(), [&](int move) {
      priors[moves] = policy[index[move]];
      total += priors[moves++];
    });
    if (total > 0.0f && total <= std::numeric_limits<float>::max()) {
      for (std::size_t i = 0; i < moves; ++i) priors[i] /= total;
      add_leaf({priors, moves}, value);
    } else {
      add_leaf({}, value);
    }
  }

  // Of self-play: any length up to the given one, so that samples cover the first plies as well as odd openings.
  int opening_length() {
    const int most = options().opening_plies;
    return most > 0 ? static_cast<int>(random_.below(static_cast<std::uint32_t>(most) + 1)) : 0;
  }

  // Under which a position is evaluated. Folded, it is the image whose hash is least that is given out, whichever of the
  // images this one is: still a draw, and what has been evaluated in one of them serves all.
  int symmetry_of(const typename G::Position& leaf) const {
    const auto& game = shared_.game;
    const auto draw = [&, seed = mix(options().seed)](const auto& image) { return combine(seed, game.key(image)); };
    if (!options().fold) return static_cast<int>(draw(leaf) % static_cast<std::uint64_t>(game.symmetries()));
    int chosen = 0;
    std::uint64_t least = draw(leaf);
    for (int symmetry = 1; symmetry < game.symmetries(); ++symmetry)
      if (const std::uint64_t hash = draw(game.transform(leaf, symmetry)); hash < least)
        chosen = symmetry, least = hash;
    return chosen;
  }

  const SearchOptions& options() const { return shared_.options; }
  const Tree<G>& tree() const { return trees_[static_cast<std::size_t>(player_)]; }
  Tree<G>& tree() { return trees_[static_cast<std::size_t>(player_)]; }

  void begin(std::int64_t number, const Standing<G>& standing) {
    number_ = number;
    standing_ = standing;
    player_first_ = options().mode == SearchMode::kDuel ? static_cast<int>(number % 2) : 0;
    for (auto& tree : trees_) tree.reset(standing_.position);
    begin_search();
  }

  void begin_search() {
    if (trees_.size() == 2) player_ = standing_.first_to_move ? player_first_ : 1 - player_first_;
    state_ = State::kSearching;
    if (tree().has_root()) add_noise();
    tree().start_walk();
    tree().prefetch();
  }

  void add_leaf(std::span<const float> priors, float value) {
    const bool root = tree().leaf_is_root();
    tree().expand(priors);
    tree().back_up(value);
    if (root)
      add_noise();
    else
      ++place_.counters.simulations;
  }

  bool next_walk() {
    if (tree().simulations() >= options().simulations) {
      finish_search();
    } else {
      tree().start_walk();
      tree().prefetch();
    }
    return state_ == State::kSearching;
  }

  // Dirichlet noise: gamma variates, normalised.
  void add_noise() {
    if (options().noise_alpha <= 0.0f || options().noise_weight <= 0.0f) return;
    std::vector<float> noise(static_cast<std::size_t>(count(shared_.game.legal(standing_.position))));
    double total = 0.0;
    std::vector<double> gammas;
    for (std::size_t i = 0; i < noise.size(); ++i)
      total += gammas.emplace_back(random_.gamma(options().noise_alpha * 10.0 / static_cast<double>(noise.size())));
    // All variates of a tiny alpha may be zero: then the noise is uniform.
    for (std::size_t i = 0; i < noise.size(); ++i)
      noise[i] = static_cast<float>(total > 0.0 ? gammas[i] / total : 1.0 / static_cast<double>(noise.size()));
    tree().mix_root_priors(noise, options().noise_weight);
  }

  void finish_search() {
    if (options().mode == SearchMode::kAnalysis) {
      state_ = State::kIdle;
      return;
    }
    const std::vector<RootMove> moves = tree().root_moves();
    const Move move = choose(moves);
    record(moves, move);
    ++place_.counters.moves;
    standing_ = standing_.after(shared_.game, move);
    if (shared_.game.phase(standing_.position) == Phase::kOver) {
      deliver();
      begin_next_game();
      return;
    }
    for (auto& tree : trees_)
      if (options().reuse_tree)
        tree.advance(move, standing_.position);
      else
        tree.reset(standing_.position);
    begin_search();
  }

  // Drawn by visits^(1 / temperature) in the first plies; then the most visited move, of equals the one with the best
  // mean.
  Move choose(const std::vector<RootMove>& moves) {
    const auto best = std::max_element(moves.begin(), moves.end(), [](const RootMove& a, const RootMove& b) {
      return a.visits != b.visits ? a.visits < b.visits : a.value < b.value;
    });
    if (standing_.ply >= options().temperature_plies) return best->move;
    std::vector<double> weights;
    double total = 0.0;
    for (const RootMove& move : moves)
      total += weights.emplace_back(
          std::pow(static_cast<double>(move.visits) / best->visits, 1.0 / static_cast<double>(options().temperature)));
    double left = random_.uniform() * total;
    for (std::size_t i = 0; i < moves.size(); ++i)
      if ((left -= weights[i]) < 0.0) return moves[i].move;
    return best->move;
  }

  void record(const std::vector<RootMove>& moves, Move move) {
    const std::size_t position = record_.positions.size(), visits = record_.visits.size();
    record_.positions.resize(position + 2 * G::kWords);
    shared_.game.pack(standing_.position, &record_.positions[position]);
    record_.visits.resize(visits + static_cast<std::size_t>(shared_.game.columns() * shared_.game.rows()));
    for (const RootMove& m : moves)
      record_.visits[visits + static_cast<std::size_t>(shared_.game.square(m.move))] =
          static_cast<std::uint16_t>(m.visits);
    record_.value.push_back(tree().root_value());
    record_.outcome.push_back(standing_.first_to_move ? 1 : -1);  // times the score, once it is known
    record_.move.push_back(shared_.game.square(move));
    record_.ply.push_back(standing_.ply);
    record_.player.push_back(static_cast<std::uint8_t>(player_));
  }

  void deliver() {
    const int score = shared_.game.score(standing_.position) * (standing_.first_to_move ? 1 : -1);
    for (auto& outcome : record_.outcome) outcome *= score;
    record_.game.push_back(number_);
    record_.length.push_back(static_cast<std::int32_t>(record_.move.size()));
    record_.score.push_back(score);
    record_.player_first.push_back(static_cast<std::uint8_t>(player_first_));
    ++place_.counters.games;
    const std::lock_guard lock(shared_.finished_mutex);
    shared_.finished.push_back(std::move(record_));
  }

  // What every answer needs comes first.
  SearchShared<G>& shared_;
  Workplace<G>& place_;
  std::vector<Tree<G>> trees_;  // one a player
  State state_ = State::kIdle;
  int player_ = 0;
  int symmetry_ = 0;  // under which the waiting leaf is evaluated
  Random random_{0};
  Standing<G> standing_{};
  std::int64_t number_ = 0;
  int player_first_ = 0;
  FinishedGames record_;
};

}  // namespace rlscout
