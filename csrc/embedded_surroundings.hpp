// What the exact indices around a latent make of it. FORMAT.md, section 12.4.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "embedded_latents.hpp"
#include "embedded_order.hpp"
#include "padded_grid.hpp"

namespace recodec {

// Indices in sixteenths, but for the range. All 0 where nothing is around.
struct Expectation {
    std::int32_t mean = 0, median = 0, range = 0;
};

class EmbeddedSurroundings {
public:
    // Taps of a 3x3 kernel in raster order; the first four are coded before the position, which is the one between.
    static constexpr std::size_t kTaps = 9, kOwn = 4;

    void move_to(const PaddedGrid& grid, std::uint32_t y, std::uint32_t x) {
        const bool west = x > 0, north = y > 0, east = x + 1 < grid.width, south = y + 1 < grid.height;
        weights_ = {north && west, 2 * north, north && east, 2 * west, 0, 2 * east, south && west, 2 * south, south && east};
        weight_ = 0;
        const std::size_t cell = grid.cell_of(y, x);
        for (std::size_t tap = 0; tap < kTaps; ++tap) {
            weight_ += weights_[tap];
            cells_[tap] = grid.beside(cell, static_cast<std::ptrdiff_t>(tap / 3) - 1, static_cast<std::ptrdiff_t>(tap % 3) - 1);
        }
    }

    const std::array<std::size_t, kTaps>& cells() const { return cells_; }

    // What a channel's index will be, by those around as they are known while a chunk is coded.
    Expectation expect(const EmbeddedLatents& latents, const EmbeddedOrder::Chunk& chunk, std::size_t channel) const {
        if (weight_ == 0) return {};
        std::array<std::int32_t, kTaps> values{};
        std::int32_t sum = 0, least = std::numeric_limits<std::int32_t>::max(), most = -least;
        for (std::size_t tap = 0; tap < kTaps; ++tap) {
            if (weights_[tap] == 0) continue;
            const std::int32_t index = latents.indices(cells_[tap])[channel];
            const std::int32_t half = (tap < kOwn ? chunk.half_after : chunk.half_before)[channel];
            values[tap] = index + half * ((index > 0) - (index < 0));
            sum += weights_[tap] * values[tap];
            least = std::min(least, values[tap]);
            most = std::max(most, values[tap]);
        }
        const std::int32_t mean = divide_down(sum * kUnit, weight_);
        return {mean, weights_[0] != 0 ? kUnit * median(values[3], values[1], values[0]) : mean, most - least};
    }

private:
    static constexpr std::int32_t kUnit = 16;

    static std::int32_t divide_down(std::int32_t value, std::int32_t by) {
        return value / by - (value % by < 0 ? 1 : 0);
    }

    // Of west, north and the plane through them and the corner.
    static std::int32_t median(std::int32_t west, std::int32_t north, std::int32_t corner) {
        return std::clamp(west + north - corner, std::min(west, north), std::max(west, north));
    }

    std::array<std::size_t, kTaps> cells_{};
    std::array<std::int32_t, kTaps> weights_{};
    std::int32_t weight_ = 0;
};

}  // namespace recodec
