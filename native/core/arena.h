// Memory that many small things share which grow and go at different times: cache lines, taken and given back by the chunk.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/pages.h"

namespace rlscout {

class ArenaFull : public std::bad_alloc {
 public:
  explicit ArenaFull(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

// For one thread. A place is known by its number, which counts quarters of a line, 16 bytes; its memory may move when a chunk is
// taken.
class Arena {
 public:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  static constexpr std::size_t kQuarter = 16;                          // bytes
  static constexpr std::uint32_t kQuarters = 4;                        // of a line
  static constexpr std::uint32_t kChunk = 64 * kQuarters;              // quarters
  static constexpr std::uint32_t kMostLines = std::uint32_t{1} << 29;  // 32 GiB

  // Address space for `lines` is set aside, so that they stay where they are, or for as many as the system grants; memory is taken as
  // chunks are.
  explicit Arena(std::size_t lines, std::size_t most_lines = kMostLines) : most_lines_(most_lines) {
    for (lines = std::min(lines, most_lines); lines > 0; lines /= 2) {
      try {
        lines_.reserve(lines);
        return;
      } catch (const std::bad_alloc&) {
      }
    }
  }

  // The first of kChunk quarters. Beyond what was set aside, all is moved to an eighth more, and both are held meanwhile. Throws
  // ArenaFull at `most_lines`, and where the system has no more.
  std::uint32_t take() {
    if (!free_.empty()) {
      const std::uint32_t chunk = free_.back();
      free_.pop_back();
      return chunk;
    }
    const std::size_t chunk = lines_.size(), size = chunk + kChunk / kQuarters;
    if (size > most_lines_)
      throw ArenaFull("the trees of one thread fill " + mebibytes(lines_.size()) + " of " + mebibytes(most_lines_) +
                      ", the most that it can address: fewer games, fewer simulations or more threads take less");
    if (size > lines_.capacity()) grow(std::min(size + size / 8, most_lines_));
    lines_.resize(size);
    return static_cast<std::uint32_t>(chunk * kQuarters);
  }
  void give_back(std::uint32_t chunk) { free_.push_back(chunk); }

  std::byte* at(std::uint32_t place) { return reinterpret_cast<std::byte*>(lines_.data()) + kQuarter * place; }
  const std::byte* at(std::uint32_t place) const {
    return reinterpret_cast<const std::byte*>(lines_.data()) + kQuarter * place;
  }

 private:
  static std::string mebibytes(std::size_t lines) { return std::to_string((lines * sizeof(Line)) >> 20) + " MiB"; }

  void grow(std::size_t lines) {
    try {
      lines_.reserve(lines);
    } catch (const std::bad_alloc&) {
      throw ArenaFull("the trees of one thread fill " + mebibytes(lines_.size()) + ", and the system has no " +
                      mebibytes(lines) + " to move them to: fewer games or fewer simulations take less");
    }
  }

  std::size_t most_lines_;
  std::vector<Line, PageAllocator<Line>> lines_;
  std::vector<std::uint32_t> free_;  // chunks; the one given back last is taken first, while caches hold it
};

}  // namespace rlscout
