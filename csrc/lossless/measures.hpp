// Small numbers that stand for large ones, by which statistics are chosen. FORMAT.md, section 14.7.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>

#include "planes.hpp"

namespace recodec::lossless {

// 8 · log2 of a number from 1 on, between powers of two in straight lines.
constexpr std::uint32_t eighths(std::uint32_t value) {
    const auto exponent = static_cast<std::uint32_t>(std::bit_width(value) - 1);
    const std::uint32_t mantissa = exponent >= 3 ? value >> (exponent - 3) : value << (3 - exponent);
    return 8 * exponent + (mantissa & 7);
}

// Steps of a magnitude in Q6, so many to an octave above 1, below `count`.
constexpr std::uint32_t steps(std::int32_t magnitude, std::uint32_t per_octave, std::uint32_t count) {
    const std::uint32_t place = (eighths(static_cast<std::uint32_t>(std::max(magnitude, 0) + kUnit)) - 48) * per_octave >> 3;
    return std::min(place, count - 1);
}

// 0..8, of a difference in whole samples; 4 is none.
constexpr std::uint32_t size_of(std::int32_t difference) {
    const std::int32_t magnitude = difference < 0 ? -difference : difference;
    const std::uint32_t size = magnitude == 0 ? 0 : magnitude < 2 ? 1 : magnitude < 5 ? 2 : magnitude < 12 ? 3 : 4;
    return difference < 0 ? 4 - size : 4 + size;
}

// A mean that follows what it is told, faster the less it has been told.
struct Mean {
    std::int32_t value, count;

    void follow(std::int32_t told) {
        count = std::min(count + 1, kMost);
        value += static_cast<std::int32_t>(std::int64_t{told - value} * (655360 / (10 * count + 16)) >> 16);
    }

private:
    static constexpr std::int32_t kMost = 400;
};

}  // namespace recodec::lossless
