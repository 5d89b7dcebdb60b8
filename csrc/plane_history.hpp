// Codes of the plane at work and of those before it, for coders that predict from them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "padded_grid.hpp"

namespace recodec {

// A position that codes are predicted from: planes back, rows down, columns right.
struct Neighbour {
    std::size_t age;
    std::ptrdiff_t dy, dx;
};

template <std::size_t kPlanes>
class PlaneHistory {
public:
    PlaneHistory(const PaddedGrid& grid, std::size_t depth) : grid_(grid), depth_(depth) {
        for (auto& plane : planes_) plane.assign(size_product({grid.cells(), depth}), 0);
    }

    // The plane at work becomes the last, and an empty one begins.
    void advance() {
        std::rotate(planes_.begin(), planes_.end() - 1, planes_.end());
        std::fill(planes_[0].begin(), planes_[0].end(), std::int8_t{0});
    }

    std::int8_t* codes(std::size_t cell) { return planes_[0].data() + cell * depth_; }
    const std::int8_t* codes(const Neighbour& at, std::size_t cell) const {
        return planes_[at.age].data() + grid_.beside(cell, at.dy, at.dx) * depth_;
    }

private:
    PaddedGrid grid_;
    std::size_t depth_;
    // Position-major (cell, then channel): this iteration, the last, the one before.
    std::array<std::vector<std::int8_t>, kPlanes> planes_;
};

}  // namespace recodec
