// Positions of a plane, padded so that every neighbour of a position is there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sizes.hpp"

namespace recodec {

struct PaddedGrid {
    std::uint32_t height, width;

    // No more than what is looked at: a picture of one row is three in here.
    static constexpr std::size_t kPadding = 1;

    std::size_t row_cells() const { return std::size_t{width} + 2 * kPadding; }
    std::size_t cells() const { return size_product({std::size_t{height} + 2 * kPadding, row_cells()}); }
    std::size_t cell_of(std::uint32_t y, std::uint32_t x) const { return (y + kPadding) * row_cells() + x + kPadding; }
    // The cell `dy` rows below and `dx` columns to the right.
    std::size_t beside(std::size_t cell, std::ptrdiff_t dy, std::ptrdiff_t dx) const {
        return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(cell) +
                                        dy * static_cast<std::ptrdiff_t>(row_cells()) + dx);
    }
    // Calls `visit` with every cell in coding order.
    template <class Visit>
    void for_each_cell(const Visit& visit) const {
        for (std::uint32_t y = 0; y < height; ++y) {
            for (std::uint32_t x = 0; x < width; ++x) visit(cell_of(y, x));
        }
    }
};

}  // namespace recodec
