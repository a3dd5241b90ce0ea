// The state of a proof on disk: the entries of its transposition table, so that a proof that was stopped goes on in another
// process, over a table of any size.
//
//     rlscout table 1\n
//     othello6 empties 2 123 45 ...\n  game, scoring, words of an entry, nodes and evaluations spent so far, and a note (a line of text)
//     the entries, each so many 64-bit words as the table holds them (little endian)
//     an entry of zeros, and one word: the sum over the note and all entries before
//
// The sum guards against accidents, not against malice: whoever may write this file may make the solver err. What is proven to
// others is proven by a certificate.
#pragma once

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/atomic_file.h"
#include "search/search_traits.h"

namespace rlscout {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::string_view kTableFileTitle = "rlscout table 1\n";
inline constexpr std::size_t kLongestNote = 512;

struct TableFileHead {
  Counters spent;
  std::string note;
};

class TableFileSum {
 public:
  template <std::size_t n>
  void add(const std::array<std::uint64_t, n>& words) {
    for (const std::uint64_t word : words) add(word);
  }
  void add(const std::string& text) {
    for (const char letter : text) add(static_cast<std::uint64_t>(letter));
  }
  std::uint64_t sum() const { return sum_; }

 private:
  void add(std::uint64_t word) { sum_ = std::rotl((sum_ ^ word) * 0x9e3779b97f4a7c15u, 29); }

  std::uint64_t sum_ = 1;
};

// Writes what the table holds now; searches may go on meanwhile. Throws std::invalid_argument where the file cannot be written, or
// the note is no single line of moderate length.
template <class Table>
void save_table(const Table& table, const std::string& game, const std::string& scoring, const Counters& spent,
                const std::string& note, const std::string& path) {
  if (note.size() > kLongestNote || note.find('\n') != std::string::npos)
    throw std::invalid_argument("a note is one line of " + std::to_string(kLongestNote) + " bytes at most");
  constexpr std::size_t kBuffered = 1 << 20;
  AtomicFile file(path);
  file.write(kTableFileTitle);
  file.write(game + " " + scoring + " " + std::to_string(Table::kWords) + " " + std::to_string(spent.nodes) + " " +
             std::to_string(spent.evaluations) + " " + note + "\n");
  std::string buffer;
  const auto append = [&](const void* data, std::size_t bytes) {
    buffer.append(static_cast<const char*>(data), bytes);
    if (buffer.size() >= kBuffered) file.write(std::exchange(buffer, {}));
  };
  TableFileSum sum;
  sum.add(note);
  table.for_each([&](const typename Table::Key& entry) {
    sum.add(entry);
    append(entry.data(), sizeof(entry));
  });
  const typename Table::Key end{};
  const std::uint64_t total = sum.sum();
  append(end.data(), sizeof(end));
  append(&total, sizeof(total));
  file.commit(buffer);
}

// Adds the entries of a file to the table and returns what it says of them. Throws std::invalid_argument, with an empty table,
// for a file of something else, of another game or scoring, or one that is damaged.
template <class Table>
TableFileHead load_table(Table& table, const std::string& game, const std::string& scoring, int max_score,
                         const std::string& path) {
  const auto fail = [&](const std::string& why) {
    table.clear();
    throw std::invalid_argument("'" + path + "': " + why);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) fail(std::strerror(errno));
  const auto line = [&] {
    std::array<char, 2 * kLongestNote> text{};
    return std::fgets(text.data(), text.size(), file.get()) != nullptr ? std::string(text.data()) : std::string();
  };
  if (line() != kTableFileTitle) fail("not the state of a proof (its first line is not 'rlscout table 1')");
  std::istringstream about(line());
  std::string its_game, its_scoring;
  int words = 0;
  TableFileHead head;
  about >> its_game >> its_scoring >> words >> head.spent.nodes >> head.spent.evaluations >> std::ws;
  std::getline(about, head.note);
  if (its_game != game || its_scoring != scoring || words != Table::kWords)
    fail("of a proof in " + its_game + " (" + its_scoring + "), not in " + game + " (" + scoring + ")");
  TableFileSum sum;
  sum.add(head.note);
  typename Table::Key entry{};
  const typename Table::Key end{};
  for (;;) {
    if (std::fread(entry.data(), sizeof(entry), 1, file.get()) != 1) fail("damaged: it ends early");
    if (entry == end) break;
    sum.add(entry);
    if (!table.insert(entry, max_score)) fail("damaged: an entry with impossible bounds");
  }
  std::uint64_t total = 0;
  if (std::fread(&total, sizeof(total), 1, file.get()) != 1 || total != sum.sum()) fail("damaged: its sum is wrong");
  return head;
}

}  // namespace rlscout
