// A file that appears whole or not at all. Behind a link, the file that it names; a pipe or a device is written as it is.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace rlscout {

// Opened beside its place at once, so that a place that cannot be written is known before the work begins; put there by
// commit(), removed by discard(). Throws std::invalid_argument naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    std::error_code none;
    const auto status = std::filesystem::status(path_, none);
    in_place_ = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
    if (const auto place = std::filesystem::weakly_canonical(path_, none); !in_place_ && !none) path_ = place;
    part_ = in_place_ ? path_ : path_ + ".part";
    file_ = std::fopen(part_.c_str(), "wb");
    if (file_ == nullptr) fail();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  void discard() {
    if (file_ == nullptr) return;
    std::fclose(std::exchange(file_, nullptr));
    remove_part();
  }

  void write(std::string_view content) {
    if (std::fwrite(content.data(), 1, content.size(), file_) != content.size()) fail();
  }

  // Writes the rest, and puts the file into its place once the disk has it.
  void commit(std::string_view rest) {
    write(rest);
    if (std::fflush(file_) != 0 || (!in_place_ && ::fsync(::fileno(file_)) != 0)) fail();
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!closed || (!in_place_ && std::rename(part_.c_str(), path_.c_str()) != 0)) fail();
    if (!in_place_) keep_name();
  }

 private:
  void remove_part() const {
    if (!in_place_) std::remove(part_.c_str());
  }

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
    remove_part();
    throw std::invalid_argument("cannot write '" + path_ + "': " + reason);
  }

  std::string path_, part_;
  std::FILE* file_ = nullptr;
  bool in_place_ = false;
};

}  // namespace rlscout
