// Bytes as files have them: integers of fixed and of variable length, read within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "error.hpp"

namespace recodec {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline void put_varint(Bytes& out, std::uint32_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<std::uint8_t>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<std::uint8_t>(value));
}

inline void put_u32(Bytes& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// The first four bytes of `data`, which has as many.
inline std::uint32_t get_u32(ByteView data) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | data[i];
    return value;
}

// Reads forwards. Nothing where the data ends too early, an Error where it is malformed.
class ByteReader {
public:
    explicit ByteReader(ByteView data, std::size_t position = 0) : data_(data), position_(position) {}

    std::size_t position() const { return position_; }
    std::size_t left() const { return data_.size() - position_; }

    std::optional<std::uint8_t> byte() {
        if (left() == 0) return std::nullopt;
        return data_[position_++];
    }

    std::optional<std::uint32_t> varint() {
        std::uint64_t value = 0;
        for (int i = 0; i < kMaxVarintBytes; ++i) {
            const auto next = byte();
            if (!next) return std::nullopt;
            value |= std::uint64_t{*next & 0x7Fu} << (7 * i);
            if (*next < 0x80) {
                if (value > 0xFFFFFFFFu) break;
                if (i > 0 && *next == 0)
                    throw Error(Errc::format, "a variable-length integer has a needless last byte");
                return static_cast<std::uint32_t>(value);
            }
        }
        throw Error(Errc::format, "a variable-length integer exceeds 32 bits");
    }

private:
    // Enough for 32 bits; a longer one is malformed.
    static constexpr int kMaxVarintBytes = 5;

    ByteView data_;
    std::size_t position_;
};

}  // namespace recodec
