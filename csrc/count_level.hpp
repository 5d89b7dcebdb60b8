// Numbers of codes as contexts have them. FORMAT.md, section 9.5.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace recodec {

inline constexpr std::size_t kLevels = 8;

// 0, 1, 2, 3..4, 5..8, 9..16, 17..32, more.
inline std::size_t level(std::uint32_t count) {
    std::size_t result = std::min<std::uint32_t>(count, 2);
    for (std::uint32_t limit = 2; result < kLevels - 1 && count > limit; limit *= 2) ++result;
    return result;
}

}  // namespace recodec
