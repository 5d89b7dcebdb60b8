// The colours of a strip that has few. FORMAT.md, section 14.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "strip_coder.hpp"

namespace recodec::lossless {

inline constexpr std::size_t kMostColours = 256;

struct Palette {
    std::vector<std::uint16_t> colours;  // one after the other, in order
    std::vector<std::uint16_t> indices;  // of pixels
};

// Nothing where there are more colours than that, or channels are one.
std::optional<Palette> find_palette(std::span<const std::uint16_t> samples, const StripShape& shape);

}  // namespace recodec::lossless
