// A file that appears whole or not at all.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rlscout {

// Opened beside its place at once, so that a place that cannot be written is known before the work begins; put there by
// commit(), removed by discard(). Throws std::invalid_argument naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {
    file_ = std::fopen(part_.c_str(), "wb");
    if (file_ == nullptr) fail();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  void discard() {
    if (file_ == nullptr) return;
    std::fclose(std::exchange(file_, nullptr));
    std::remove(part_.c_str());
  }

  void write(std::string_view content) {
    if (std::fwrite(content.data(), 1, content.size(), file_) != content.size()) fail();
  }

  // Writes the rest, and puts the file into its place once the disk has it.
  void commit(std::string_view rest) {
    write(rest);
    if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) fail();
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!closed || std::rename(part_.c_str(), path_.c_str()) != 0) fail();
    keep_name();
  }

 private:
  // A file survives a power loss by its data, and by its name in the folder.
  void keep_name() const {
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
  }

  [[noreturn]] void fail() {
    const std::string reason = std::strerror(errno);
    if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
    std::remove(part_.c_str());
    throw std::invalid_argument("cannot write '" + path_ + "': " + reason);
  }

  std::string path_, part_;
  std::FILE* file_ = nullptr;
};

}  // namespace rlscout
