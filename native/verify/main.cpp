// The command `rlscout-verify FILE`: the fast, independent checker of certificates. It includes nothing outside this
// folder. Exit status: 0 valid, 1 refused, 2 not a certificate, 3 beyond a limit.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <new>
#include <optional>

#include "verify/certificate.h"
#include "verify/check.h"
#include "verify/games.h"

namespace verify {
namespace {

enum Status { kValid = 0, kRefused = 1, kBadInput = 2, kOverLimit = 3 };
constexpr const char* kVerdicts[] = {"valid", "refused", "bad input", "over limit"};

constexpr const char* kHelp =
    R"(usage: rlscout-verify [--json] [--quiet] [--max-positions N] [--max-leaf-empties N] FILE

Checks an rlscout certificate: a proof that the score of a position lies between two bounds.
The format and what a valid file proves: docs/certificate.md.

  --json                print the verdict as one JSON object
  --quiet               no progress on standard error
  --max-positions N     take larger proofs than 50000000 positions (about 60 bytes of memory each)
  --max-leaf-empties N  search leaves of more than 16 empty squares (each may take long)

Exit status: 0 valid, 1 refused, 2 not a certificate, 3 beyond a limit of this checker.
)";

struct Options {
  std::string file;
  bool json = false;
  bool quiet = false;
  Limits limits;
};

// The options of a command line, or nothing where it is not as in kHelp.
std::optional<Options> parse_options(int count, char** arguments) {
  Options options;
  bool have_file = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const bool positions = argument == "--max-positions", leaves = argument == "--max-leaf-empties";
    if (positions || leaves) {
      int64_t& limit = positions ? options.limits.max_positions : options.limits.max_leaf_empties;
      if (++i == count) return {};
      const char* end = arguments[i] + std::strlen(arguments[i]);
      const auto [stop, error] = std::from_chars(arguments[i], end, limit);
      if (error != std::errc{} || stop != end || limit < 0 || limit > 999'999'999) return {};
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--quiet") {
      options.quiet = true;
    } else if (have_file || argument.starts_with("--")) {
      return {};
    } else {
      options.file = argument;
      have_file = true;
    }
  }
  return have_file ? std::optional(options) : std::nullopt;
}

// Everything one check found out, in the order of the report.
struct Report {
  Status status = kBadInput;
  std::optional<Certificate> certificate;
  Counts counts;
  std::string reason;
  std::string position_at_fault;
  std::string claim_at_fault;
  double seconds = 0;
};

void check(Report& report, const Progress& progress) {
  std::visit([&](const auto& game) { Checker(game, *report.certificate, report.counts, progress).check(); },
             report.certificate->game);
}

Report run(const Options& options, const Progress& progress) {
  Report report;
  const auto started = std::chrono::steady_clock::now();
  try {
    report.certificate = read_certificate(options.file, options.limits);
    check(report, progress);
    report.status = kValid;
  } catch (const ProofError& refusal) {
    report.status = kRefused;
    report.reason = refusal.what();
    report.position_at_fault = refusal.position;
    report.claim_at_fault = refusal.statement;
  } catch (const LimitError& error) {
    report.status = kOverLimit;
    report.reason = error.what();
  } catch (const std::bad_alloc&) {
    report.status = kOverLimit;
    report.reason = "the certificate is too large for the memory of this machine";
  } catch (const FormatError& error) {
    report.reason = error.what();
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

// What a valid file proves, in words.
std::string statement(const Certificate& certificate) {
  const Board& board = board_of(certificate.game);
  const std::string lower = std::to_string(certificate.lower), upper = std::to_string(certificate.upper);
  std::string claim = lower + " <= score <= " + upper;
  if (certificate.lower == certificate.upper)
    claim = "score = " + lower;
  else if (certificate.upper >= board.max_score)
    claim = "score >= " + lower;
  else if (certificate.lower <= -board.max_score)
    claim = "score <= " + upper;
  return certificate.game_name + ", " + certificate.position + ": " + claim + " for " + certificate.position.back() +
         " to move (" + board.rule + ")";
}

std::string draw(const Board& board, const std::string& position) {
  std::string text = "  ";
  for (int column = 0; column < board.columns; ++column) text += {' ', static_cast<char>('a' + column)};
  for (int row = 0; row < board.rows; ++row) {
    text += (row < 9 ? "\n " : "\n") + std::to_string(row + 1);
    for (int column = 0; column < board.columns; ++column)
      text += {' ', position[static_cast<size_t>(row * board.columns + column)]};
  }
  return text + "\n   " + position.back() + " to move";
}

std::string in_words(const Report& report) {
  std::string text;
  if (report.status == kValid) {
    text = "VALID\nproven: " + statement(*report.certificate) + "\n";
  } else {
    for (const char* c = kVerdicts[report.status]; *c; ++c) text += *c == ' ' ? ' ' : static_cast<char>(*c - 'a' + 'A');
    text += ": " + report.reason + "\n";
  }
  if (!report.position_at_fault.empty())
    text += "at fault: " + report.position_at_fault + ", claimed " + report.claim_at_fault + "\n" +
            draw(board_of(report.certificate->game), report.position_at_fault) + "\n";
  if (report.certificate)
    text += "checked: " + std::to_string(report.counts.positions) + " positions, " +
            std::to_string(report.counts.witnesses) + " witness moves, " + std::to_string(report.counts.leaves) +
            " leaves, " + std::to_string(report.counts.nodes) + " nodes\n";
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f s\n", report.seconds);
  return text + seconds;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    char code[8];
    if (static_cast<unsigned char>(c) < ' ') {
      std::snprintf(code, sizeof code, "\\u%04x", c);
      result += code;
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + "\"";
}

std::string in_json(const Options& options, const Report& report) {
  std::string text;
  const auto field = [&](const char* name, const std::string& value) {
    text += (text.empty() ? "{" : ", ") + quoted(name) + ": " + value;
  };
  field("verdict", quoted(kVerdicts[report.status]));
  field("file", quoted(options.file));
  field("checker", quoted("native"));
  if (report.certificate) {
    const Certificate& certificate = *report.certificate;
    field("game", quoted(certificate.game_name));
    field("scoring", quoted(certificate.scoring));
    field("position", quoted(certificate.position));
    field("lower", std::to_string(certificate.lower));
    field("upper", std::to_string(certificate.upper));
    field("leaf_empties", std::to_string(certificate.leaf_empties));
    field("grade", quoted("checked"));
    field("positions", std::to_string(report.counts.positions));
    field("witnesses", std::to_string(report.counts.witnesses));
    field("leaves", std::to_string(report.counts.leaves));
    field("nodes", std::to_string(report.counts.nodes));
  }
  if (report.status == kValid)
    field("statement", quoted(statement(*report.certificate)));
  else
    field("reason", quoted(report.reason));
  if (report.status == kRefused) {
    const bool named = !report.position_at_fault.empty();
    field("position_at_fault", named ? quoted(report.position_at_fault) : "null");
    field("claim_at_fault", named ? quoted(report.claim_at_fault) : "null");
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", report.seconds);
  field("seconds", seconds);
  return text + "}\n";
}

}  // namespace
}  // namespace verify

int main(int count, char** arguments) {
  using namespace verify;
  if (count == 2 && std::string(arguments[1]) == "--help") {
    std::cout << kHelp;
    return kValid;
  }
  const std::optional<Options> options = parse_options(count, arguments);
  if (!options) {
    std::cerr << kHelp;
    return kBadInput;
  }
  const bool quiet = options->quiet;
  const Report report = run(*options, [quiet](const std::string& text) {
    if (!quiet) std::cerr << text << std::endl;
  });
  std::cout << (options->json ? in_json(*options, report) : in_words(report)) << std::flush;
  return report.status;
}
