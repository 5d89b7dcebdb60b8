// Errors of the core. The numbers are part of the interface and never change.
#pragma once

#include <stdexcept>
#include <string>

namespace recodec {

enum class Errc : int {
    format = 1,       // not a valid file
    truncated = 2,    // ends too early
    unsupported = 3,  // valid, but beyond this version
    checksum = 4,     // damaged
    limit = 5,        // beyond a limit the caller set
    setting = 6,      // an environment variable names what is not there
};

class Error : public std::runtime_error {
public:
    Error(Errc code, const std::string& message) : std::runtime_error(message), code_(code) {}
    Errc code() const { return code_; }

private:
    Errc code_;
};

}  // namespace recodec
