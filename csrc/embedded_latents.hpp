// What is known of all latents of a picture while their planes are coded.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "padded_grid.hpp"

namespace recodec {

// About 8·log2(1 + magnitude): exact at powers of two, straight lines between them. At most 120.
constexpr std::int32_t log_size(std::uint32_t magnitude) {
    const std::uint32_t n = magnitude + 1;
    const auto floor = static_cast<std::int32_t>(std::bit_width(n)) - 1;
    return 8 * floor + static_cast<std::int32_t>((8 * n) >> floor) - 8;
}

// Padded, position-major: index so far, and its log_size() with the index's sign.
class EmbeddedLatents {
public:
    EmbeddedLatents(const PaddedGrid& grid, std::size_t channels)
        : channels_(channels),
          indices_(size_product({grid.cells(), channels})),
          sizes_(size_product({grid.cells(), channels})) {}

    std::int16_t* indices(std::size_t cell) { return indices_.data() + cell * channels_; }
    const std::int16_t* indices(std::size_t cell) const { return indices_.data() + cell * channels_; }
    const std::int8_t* sizes(std::size_t cell) const { return sizes_.data() + cell * channels_; }

    // Takes a code of -1 or +1 that belongs to a plane; by how much it adds to the log_size().
    std::int32_t add(std::size_t cell, std::size_t channel, std::int32_t code, std::uint32_t plane) {
        std::int16_t& index = indices_[cell * channels_ + channel];
        std::int8_t& size = sizes_[cell * channels_ + channel];
        index = static_cast<std::int16_t>(index + code * (1 << plane));
        const std::int32_t before = size < 0 ? -size : size;
        const std::int32_t after = log_size(static_cast<std::uint32_t>(index < 0 ? -index : index));
        size = static_cast<std::int8_t>(index < 0 ? -after : after);
        return after - before;
    }

private:
    std::size_t channels_;
    std::vector<std::int16_t> indices_;
    std::vector<std::int8_t> sizes_;
};

}  // namespace recodec
