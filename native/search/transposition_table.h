// The tables of exact search. Whole positions are stored: a hit is never a collision, which a proof depends on.
//
//   TranspositionTable   shared between threads, several entries a bucket, replaced by age and cost
//   LocalTable           of one thread, one entry a slot, always replaced
//
// An entry is the words of a TableKey; the low kDataBits bits of the last one hold
//
//   35        28 27       20 19       12 11      6 5       0
//   +-----------+-----------+-----------+---------+---------+
//   |   lower   |   upper   |   move    |  cost   |   age   |
//   +-----------+-----------+-----------+---------+---------+
//
// lower, upper: score + 128; move: bit + 2 (0: none, 1: pass); cost: log2 of the nodes spent. An empty slot is all zeros,
// which is no entry since a stored upper bound is never -128.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/game.h"
#include "core/hash.h"
#include "core/pages.h"
#include "core/prefetch.h"
#include "search/claim.h"
#include "search/search_traits.h"

namespace rlscout {

struct TableEntry {
  Bounds bounds;
  Move move;  // reached `lower` or, where nothing did, came nearest; kNoMove: none
  int cost;   // log2 of the nodes spent
};

// Adds to an entry what another says of the same position.
inline void merge(TableEntry& entry, const TableEntry& known) {
  if (known.bounds.lower > entry.bounds.lower) entry.bounds.lower = known.bounds.lower, entry.move = known.move;
  if (known.bounds.upper < entry.bounds.upper) entry.bounds.upper = known.bounds.upper;
  if (known.cost > entry.cost) entry.cost = known.cost;
}

namespace table_data {

inline constexpr std::uint64_t kMask = (std::uint64_t{1} << kDataBits) - 1;
inline constexpr std::uint64_t kAgeMask = 63;

constexpr std::uint64_t pack(const TableEntry& entry, unsigned age) {
  return static_cast<std::uint64_t>(entry.bounds.lower + 128) << 28 |
         static_cast<std::uint64_t>(entry.bounds.upper + 128) << 20 | static_cast<std::uint64_t>(entry.move + 2) << 12 |
         static_cast<std::uint64_t>(entry.cost) << 6 | age;
}
constexpr TableEntry unpack(std::uint64_t data) {
  return {{static_cast<int>(data >> 28 & 255) - 128, static_cast<int>(data >> 20 & 255) - 128},
          static_cast<Move>(static_cast<int>(data >> 12 & 255) - 2),
          static_cast<int>(data >> 6 & 63)};
}
constexpr int cost(std::uint64_t data) { return static_cast<int>(data >> 6 & 63); }
constexpr unsigned age(std::uint64_t data) { return static_cast<unsigned>(data & kAgeMask); }

}  // namespace table_data

template <int kKeyWords>
std::uint64_t hash_of(const TableKey<kKeyWords>& key) {
  std::uint64_t hash = 0;
  for (std::uint64_t word : key) hash = (hash ^ word) * 0x9e3779b97f4a7c15u, hash ^= hash >> 32;
  return hash * 0xd6e8feb86659fd93u;
}

// Readers and writers meet in a bucket guarded by a sequence counter, odd while a writer is inside (H. Boehm, "Can seqlocks
// get along with programming language memory models?", 2012). Every word is atomic: a reader that meets a word of a writer
// still inside has acquired the odd counter with it, sees it in its second look at the counter, and reports a miss. A writer
// that finds the bucket taken drops its entry: it was only a saving.
template <int kKeyWords>
class TranspositionTable {
  // At least three entries and the counter, in one, two or four cache lines.
  static constexpr int kBucketWords = 3 * kKeyWords + 1 <= 8 ? 8 : 3 * kKeyWords + 1 <= 16 ? 16 : 32;
  static constexpr int kWays = (kBucketWords - 1) / kKeyWords;
  static_assert(kWays >= 3);

  using Words = std::atomic<std::uint64_t>;
  struct alignas(64) Bucket {
    Words sequence;
    Words entries[kWays][kKeyWords];
  };

 public:
  using Key = TableKey<kKeyWords>;
  static constexpr int kWords = kKeyWords;

  // The largest power of two of buckets that fits into `megabytes` (2^20 bytes), one bucket at least.
  explicit TranspositionTable(int megabytes)
      : buckets_(
            std::max(std::bit_floor((static_cast<std::size_t>(megabytes) << 20) / sizeof(Bucket)), std::size_t{1})),
        shift_(64 - std::countr_zero(buckets_.size())) {}

  std::size_t bytes() const { return buckets_.size() * sizeof(Bucket); }

  // Entries of earlier generations still answer, but are the first to be replaced.
  void new_generation() { age_ = (age_ + 1) & table_data::kAgeMask; }

  void clear() {
    for (Bucket& bucket : buckets_)
      for (auto& entry : bucket.entries)
        for (Words& word : entry) word.store(0, std::memory_order_relaxed);
    age_ = 0;
  }

  // Every entry as it is stored, its age apart: the words of its position and, in the low bits of the last one, its data. Threads
  // may search meanwhile: an entry is given whole, or not at all where its bucket was written to just then.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Bucket& at : buckets_) {
      Key entries[kWays];
      const std::uint64_t sequence = at.sequence.load(std::memory_order_acquire);
      for (int way = 0; way < kWays; ++way)
        for (int i = 0; i < kKeyWords; ++i) entries[way][i] = at.entries[way][i].load(std::memory_order_acquire);
      if ((sequence & 1) != 0 || at.sequence.load(std::memory_order_relaxed) != sequence) continue;
      for (Key& entry : entries) {
        entry[kKeyWords - 1] &= ~table_data::kAgeMask;
        if ((entry[kKeyWords - 1] & table_data::kMask) != 0) visit(static_cast<const Key&>(entry));
      }
    }
  }

  // Stores an entry that `for_each` gave; false where its bounds are none of a game with scores up to `max_score`.
  bool insert(Key entry, int max_score) {
    const TableEntry known = table_data::unpack(entry[kKeyWords - 1]);
    const auto [lower, upper] = known.bounds;
    if (lower < -max_score || lower > upper || upper > max_score) return false;
    entry[kKeyWords - 1] &= ~table_data::kMask;
    store(entry, known);
    return true;
  }

  void prefetch(const Key& key) const { rlscout::prefetch(&bucket(key)); }

  std::optional<TableEntry> probe(const Key& key) const {
    const Bucket& at = bucket(key);
    const std::uint64_t sequence = at.sequence.load(std::memory_order_acquire);
    for (const auto& entry : at.entries) {
      const std::uint64_t last = entry[kKeyWords - 1].load(std::memory_order_acquire);
      bool equal = ((last ^ key[kKeyWords - 1]) & ~table_data::kMask) == 0 && (last & table_data::kMask) != 0;
      for (int i = 0; i < kKeyWords - 1; ++i) equal &= entry[i].load(std::memory_order_acquire) == key[i];
      if (!equal) continue;
      if ((sequence & 1) != 0 || at.sequence.load(std::memory_order_relaxed) != sequence) return std::nullopt;
      return table_data::unpack(last);
    }
    return std::nullopt;
  }

  // Keeps `entry`, merged with the bounds the table knows of the same position; else over the cheapest of the oldest.
  void store(const Key& key, TableEntry entry) {
    Bucket& at = bucket(key);
    std::uint64_t sequence = at.sequence.load(std::memory_order_relaxed);
    if ((sequence & 1) != 0 || !at.sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acquire,
                                                                    std::memory_order_relaxed))
      return;
    int victim = 0, least = 1 << 30;
    for (int way = 0; way < kWays; ++way) {
      const std::uint64_t last = at.entries[way][kKeyWords - 1].load(std::memory_order_relaxed);
      if (same(at.entries[way], key, last)) {
        merge(entry, table_data::unpack(last));
        victim = way;
        break;
      }
      const int worth =
          (last & table_data::kMask) == 0 ? -1 : table_data::cost(last) + (table_data::age(last) == age_ ? 64 : 0);
      if (worth < least) least = worth, victim = way;
    }
    for (int i = 0; i < kKeyWords - 1; ++i) at.entries[victim][i].store(key[i], std::memory_order_release);
    at.entries[victim][kKeyWords - 1].store(key[kKeyWords - 1] | table_data::pack(entry, age_),
                                            std::memory_order_release);
    at.sequence.store(sequence + 2, std::memory_order_release);
  }

 private:
  static bool same(const Words (&entry)[kKeyWords], const Key& key, std::uint64_t last) {
    if ((last & table_data::kMask) == 0 || ((last ^ key[kKeyWords - 1]) & ~table_data::kMask) != 0) return false;
    for (int i = 0; i < kKeyWords - 1; ++i)
      if (entry[i].load(std::memory_order_relaxed) != key[i]) return false;
    return true;
  }

  const Bucket& bucket(const Key& key) const { return buckets_[index(key)]; }
  Bucket& bucket(const Key& key) { return buckets_[index(key)]; }
  std::size_t index(const Key& key) const { return shift_ == 64 ? 0 : hash_of<kKeyWords>(key) >> shift_; }

  std::vector<Bucket, PageAllocator<Bucket>> buckets_;
  int shift_;
  unsigned age_ = 0;
};

// Bounds of small subtrees, one table of slots per number of empties; not shared, so nothing guards it.
template <int kKeyWords>
class LocalTable {
  static constexpr int kLogSlots = 12;

 public:
  using Key = TableKey<kKeyWords>;

  // For positions of 0 to `most_empties` empties.
  explicit LocalTable(int most_empties) : slots_(static_cast<std::size_t>(most_empties + 1) << kLogSlots) {}

  // What was stored before has another generation, which takes the place of the age; it is wiped before its number comes again.
  void clear() {
    generation_ = (generation_ + 1) & table_data::kAgeMask;
    if (generation_ == 0) std::fill(slots_.begin(), slots_.end(), Key{});
  }

  std::optional<TableEntry> probe(const Key& key, int empties) const {
    const Key& slot = slots_[index(key, empties)];
    // One branch, for whether it hits is hard to foretell.
    const std::uint64_t last = slot[kKeyWords - 1];
    std::uint64_t different = (last ^ (key[kKeyWords - 1] | generation_)) & (~table_data::kMask | table_data::kAgeMask);
    for (int i = 0; i < kKeyWords - 1; ++i) different |= slot[i] ^ key[i];
    if (different != 0 || (last & table_data::kMask) == 0) return std::nullopt;
    return table_data::unpack(last);
  }

  void store(const Key& key, int empties, const TableEntry& entry) {
    Key& slot = slots_[index(key, empties)];
    slot = key;
    slot[kKeyWords - 1] |= table_data::pack(entry, generation_);
  }

 private:
  static std::size_t index(const Key& key, int empties) {
    return static_cast<std::size_t>(empties) << kLogSlots | hash_of<kKeyWords>(key) >> (64 - kLogSlots);
  }

  std::vector<Key> slots_;
  unsigned generation_ = 0;
};

}  // namespace rlscout
