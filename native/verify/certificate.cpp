#include "verify/certificate.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace verify {
namespace {

constexpr const char* kFields[] = {"game",  "scoring",   "position",  "lower",  "upper", "leaf_empties",
                                   "grade", "positions", "witnesses", "leaves", "bytes", "crc32"};
constexpr size_t kLongestLine = 512;
constexpr const char* kBeginning = "rlscout certificate ";

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// CRC-32 as in zlib, bit by bit from its polynomial.
uint32_t crc32(uint32_t crc, const uint8_t* bytes, size_t count) {
  crc = ~crc;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

[[noreturn]] void fail_to_read(const std::string& path) {
  throw FormatError("cannot read '" + path + "': " + std::strerror(errno));
}

// A line without its newline.
std::string read_line(std::FILE* file, int number, const std::string& path) {
  std::string line;
  for (int c; (c = std::getc(file)) != '\n'; line += static_cast<char>(c)) {
    if (c == EOF && std::ferror(file)) fail_to_read(path);
    if (c == EOF || c < ' ' || c > '~' || line.size() + 1 == kLongestLine) {
      if (number == 1 && !line.starts_with(kBeginning))
        throw FormatError("the file does not begin with 'rlscout certificate'");
      throw FormatError("line " + std::to_string(number) + " of the header is cut off, too long or not plain text");
    }
  }
  return line;
}

// A decimal of at most nine digits, written in the one shortest way.
int64_t parse_integer(const std::string& name, const std::string& text, bool may_be_negative) {
  const bool negative = may_be_negative && text.starts_with('-');
  const std::string digits = text.substr(negative);
  const bool plain =
      !digits.empty() && digits.size() <= 9 && digits.find_first_not_of("0123456789") == std::string::npos;
  if (!plain || (digits[0] == '0' && (digits.size() > 1 || negative)))
    throw FormatError(name + " '" + text.substr(0, 60) + "': expected a whole number");
  return negative ? -std::stoll(digits) : std::stoll(digits);
}

uint32_t parse_crc32(const std::string& text) {
  if (text.size() != 8 || text.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw FormatError("crc32 '" + text + "': expected eight digits 0-9a-f");
  return static_cast<uint32_t>(std::stoul(text, nullptr, 16));
}

AnyGame read_game(const std::string& name, const std::string& scoring) {
  try {
    return parse_game(name, scoring);
  } catch (const std::invalid_argument& error) {
    throw FormatError(error.what());
  }
}

void check_position(const AnyGame& any, const std::string& text) {
  const size_t squares = static_cast<size_t>(board_of(any).squares());
  const bool fits = text.size() == squares + 2 && text.find_first_not_of("XO-") == squares && text[squares] == ' ' &&
                    (text.back() == 'X' || text.back() == 'O');
  if (!fits)
    throw FormatError("position '" + text + "': expected " + std::to_string(squares) +
                      " squares of X, O or -, a space, and X or O");
  const std::string reason =
      std::visit([&](const auto& game) { return game.impossible(position_of(game, text)); }, any);
  if (!reason.empty()) throw FormatError("position " + text + ": " + reason);
}

// The fields of the header but the payload and its checksum.
Certificate parse_header(const std::array<std::string, 13>& lines) {
  if (lines[0] != "rlscout certificate 1") throw FormatError("'" + lines[0] + "': this checker knows version 1 only");
  std::array<std::string, 12> values;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string start = std::string(kFields[i]) + " ";
    if (!lines[i + 1].starts_with(start))
      throw FormatError("expected the line '" + start + "...', found '" + lines[i + 1].substr(0, 60) + "'");
    values[i] = lines[i + 1].substr(start.size());
  }
  Certificate certificate{read_game(values[0], values[1])};
  certificate.game_name = values[0];
  certificate.scoring = values[1];
  certificate.position = values[2];
  check_position(certificate.game, certificate.position);
  if (values[6] != "checked")
    throw FormatError("grade '" + values[6] + "': this checker knows the grade 'checked' only");
  certificate.crc32 = parse_crc32(values[11]);
  certificate.lower = parse_integer("lower", values[3], true);
  certificate.upper = parse_integer("upper", values[4], true);
  certificate.leaf_empties = parse_integer("leaf_empties", values[5], false);
  certificate.positions = parse_integer("positions", values[7], false);
  certificate.witnesses = parse_integer("witnesses", values[8], false);
  certificate.leaves = parse_integer("leaves", values[9], false);
  certificate.bytes = parse_integer("bytes", values[10], false);
  const int max_score = board_of(certificate.game).max_score;
  if (certificate.lower <= -max_score && certificate.upper >= max_score)
    throw FormatError("both bounds are those of every score: the file claims nothing");
  return certificate;
}

void check_limit(const char* name, int64_t value, int64_t limit) {
  if (value > limit)
    throw LimitError(std::string(name) + " " + std::to_string(value) + ": this checker was told to take at most " +
                     std::to_string(limit));
}

}  // namespace

Certificate read_certificate(const std::string& path, const Limits& limits) {
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail_to_read(path);
  std::array<std::string, 13> lines;
  std::string summed;
  for (size_t i = 0; i < lines.size(); ++i) {
    lines[i] = read_line(file.get(), static_cast<int>(i) + 1, path);
    if (i == 0 && !lines[0].starts_with(kBeginning))
      throw FormatError("the file does not begin with 'rlscout certificate'");
    if (i + 1 < lines.size()) summed += lines[i] + "\n";
  }
  Certificate certificate = parse_header(lines);
  check_limit("positions", certificate.positions, limits.max_positions);
  check_limit("bytes", certificate.bytes, 2 * limits.max_positions);
  check_limit("leaf_empties", certificate.leaf_empties, limits.max_leaf_empties);
  const size_t stated = static_cast<size_t>(certificate.bytes);
  certificate.payload.resize(stated + 1);
  certificate.payload.resize(std::fread(certificate.payload.data(), 1, stated + 1, file.get()));
  if (std::ferror(file.get())) fail_to_read(path);
  certificate.actual_crc32 = crc32(crc32(0, reinterpret_cast<const uint8_t*>(summed.data()), summed.size()),
                                   certificate.payload.data(), std::min(stated, certificate.payload.size()));
  return certificate;
}

}  // namespace verify
