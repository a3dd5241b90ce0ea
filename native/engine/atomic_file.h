// A file that appears whole or not at all. Behind a link, the file that it names; a pipe or a device is written as it is.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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
// commit(), removed by discard(). Meanwhile it is locked: who writes the same file at the same time is refused. Throws
// std::invalid_argument naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    std::error_code none;
    const auto status = std::filesystem::status(path_, none);
    in_place_ = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
    if (const auto place = std::filesystem::weakly_canonical(path_, none); !in_place_ && !none) path_ = place;
    part_ = in_place_ ? path_ : path_ + ".part";
    if (!in_place_)
      open_part();
    else if (file_ = std::fopen(part_.c_str(), "wb"); file_ == nullptr)
      fail();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  void discard() {
    if (file_ == nullptr) return;
    remove_part();
    std::fclose(std::exchange(file_, nullptr));
  }

  void write(std::string_view content) {
    if (std::fwrite(content.data(), 1, content.size(), file_) != content.size()) fail();
  }

  // Writes the rest, and puts the file into its place once the disk has it.
  void commit(std::string_view rest) {
    write(rest);
    if (std::fflush(file_) != 0) fail();
    if (!in_place_ && (::fsync(::fileno(file_)) != 0 || std::rename(part_.c_str(), path_.c_str()) != 0)) fail();
    // Closed after it is renamed, for that ends the lock; a pipe tells only now that nobody reads.
    if (std::fclose(std::exchange(file_, nullptr)) != 0 && in_place_) fail();
    if (!in_place_) keep_name();
  }

 private:
  void remove_part() const {
    if (!in_place_) std::remove(part_.c_str());
  }

  // Empty and locked. Until then it may belong to another process, so that nothing is removed here.
  void open_part() {
    for (;;) {
      const int descriptor = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
      if (descriptor < 0) refuse(std::strerror(errno));
      struct stat opened{}, there{};
      if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        const bool busy = errno == EWOULDBLOCK;
        const std::string reason = busy ? "it is being written by another process" : std::strerror(errno);
        ::close(descriptor);
        refuse(reason);
      }
      // Who held it before may have put it into its place meanwhile.
      const bool is_there = ::fstat(descriptor, &opened) == 0 && ::stat(part_.c_str(), &there) == 0 &&
                            opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
      if (!is_there) {
        ::close(descriptor);
        continue;
      }
      if (::ftruncate(descriptor, 0) == 0) file_ = ::fdopen(descriptor, "wb");
      if (file_ != nullptr) return;
      const std::string reason = std::strerror(errno);
      ::close(descriptor);
      refuse(reason);
    }
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
    discard();
    refuse(reason);
  }
  [[noreturn]] void refuse(const std::string& reason) const {
    throw std::invalid_argument("cannot write '" + path_ + "': " + reason);
  }

  std::string path_, part_;
  std::FILE* file_ = nullptr;
  bool in_place_ = false;
};

}  // namespace rlscout
