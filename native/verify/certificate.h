// Reads a certificate: thirteen lines of text, then the witness moves as one string of bits (docs/certificate.md,
// section 2).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "verify/games.h"

namespace verify {

// The file cannot be read as a certificate of this version.
struct FormatError : std::runtime_error {
  using runtime_error::runtime_error;
};

// The file asks for more work than the limits allow. This says nothing about its truth.
struct LimitError : std::runtime_error {
  using runtime_error::runtime_error;
};

// What a checker is willing to do: more positions cost memory, more empty squares at the leaves cost time.
struct Limits {
  int64_t max_positions = 50'000'000;
  int64_t max_leaf_empties = 16;
};

struct Certificate {
  AnyGame game;
  std::string game_name{};
  std::string scoring{};
  std::string position{};  // the root: the squares row by row as X, O and -, a space, the side to move
  int64_t lower = 0;       // bounds of the score of the root, for its side to move
  int64_t upper = 0;
  int64_t leaf_empties = 0;
  int64_t positions = 0;
  int64_t witnesses = 0;
  int64_t leaves = 0;
  int64_t bytes = 0;
  uint32_t crc32 = 0;
  uint32_t actual_crc32 = 0;
  std::vector<uint8_t> payload{};  // as found: shorter or longer than `bytes` in a damaged file

  bool x_to_move() const { return position.back() == 'X'; }
};

// Throws FormatError (also for a file that cannot be read) and LimitError.
Certificate read_certificate(const std::string& path, const Limits& limits);

// The payload as a string of bits, the highest bit of a byte first.
class Witnesses {
 public:
  explicit Witnesses(std::vector<uint8_t> payload) : payload_(std::move(payload)) {}

  // The next number, in as many bits as the largest of `choices` numbers from 0 takes; -1 at the end of the payload.
  int next(int choices) {
    int number = 0;
    for (int largest = choices - 1; largest > 0; largest >>= 1) {
      if (bits_read_ == 8 * payload_.size()) return -1;
      number = 2 * number + (payload_[bits_read_ / 8] >> (7 - bits_read_ % 8) & 1);
      ++bits_read_;
    }
    return number;
  }
  int64_t bytes_read() const { return static_cast<int64_t>((bits_read_ + 7) / 8); }

  // Whether the bits that fill up the last byte are all zero.
  bool padded_with_zeros() const {
    return bits_read_ % 8 == 0 || (payload_[bits_read_ / 8] & (0xff >> bits_read_ % 8)) == 0;
  }

 private:
  std::vector<uint8_t> payload_;
  size_t bits_read_ = 0;
};

}  // namespace verify
