// Fields of a header's body: read within its bounds, and held to their limits.
#pragma once

#include <optional>
#include <string>

#include "bytes.hpp"
#include "error.hpp"

namespace recodec {

// Running out of bytes inside the body is an error of format, not a cut file.
class FieldReader {
public:
    explicit FieldReader(ByteView body) : reader_(body) {}

    std::uint8_t byte() { return take(reader_.byte()); }
    std::uint32_t varint() { return take(reader_.varint()); }
    std::size_t position() const { return reader_.position(); }
    bool at_end() const { return reader_.left() == 0; }

private:
    template <typename T>
    static T take(std::optional<T> value) {
        if (!value) throw Error(Errc::format, "the header body is shorter than its fields");
        return *value;
    }

    ByteReader reader_;
};

inline void require_field(bool condition, Errc code, const char* field, std::uint64_t value, const char* limit) {
    if (!condition) {
        throw Error(code, std::string("header field ") + field + " is " + std::to_string(value) + "; " + limit);
    }
}

}  // namespace recodec
