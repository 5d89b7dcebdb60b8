// A plane of samples with what stands in for those outside of it, as far as it is known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../sizes.hpp"

namespace recodec::zoo {

// Where a neighbour would lie outside, the nearest sample that is known takes its place: of the same row, of the
// first row above it, of the row above where a row begins; 128 where nothing is known.
class NeighbourPlane {
public:
    static constexpr std::size_t kAbove = 5, kAside = 5;

    NeighbourPlane(std::size_t height, std::size_t width)
        : width_(width),
          stride_(width + 2 * kAside),
          samples_(size_product({height + kAbove + 1, stride_}), kUnknown) {
        rows_ = samples_.data() + kAbove * stride_ + kAside;
        height_ = height;
    }
    // Rows point into samples.
    NeighbourPlane(const NeighbourPlane&) = delete;
    NeighbourPlane(NeighbourPlane&&) = default;

    // All samples at once, and a row below the last that repeats it.
    void fill(const std::uint8_t* samples) {
        for (std::size_t y = 0; y < height_; ++y) {
            for (std::size_t x = 0; x < width_; ++x) put(y, x, samples[y * width_ + x]);
        }
        const std::uint8_t* last = row(height_ - 1) - kAside;
        std::copy(last, last + stride_, row(height_) - kAside);
    }

    void put(std::size_t y, std::size_t x, std::uint8_t sample) {
        std::uint8_t* own = row(y);
        own[x] = sample;
        if (x == 0) std::fill(own - kAside, own, sample);
        if (y == 0) {
            // The rows above repeat what is known of the first, as far as anything asks before the next sample.
            for (std::size_t above = 1; above <= kAbove; ++above) {
                std::uint8_t* copy = rows_ - above * stride_;
                if (x == 0) std::fill(copy - kAside, copy, sample);
                std::fill(copy + x, copy + std::min(x + kAside + 2, width_ + kAside), sample);
            }
        }
        if (x + 1 < width_) return;
        std::fill(own + width_, own + width_ + kAside, sample);
        // What stands for the samples to the left of the next row until there is one.
        std::fill(own + stride_ - kAside, own + stride_, own[0]);
    }

    // Half of the sum of the neighbours to the left and above.
    std::int32_t mean_of_two(std::size_t y, std::size_t x) const {
        const std::uint8_t* here = row(y) + x;
        return (here[-1] + *(here - stride_)) >> 1;
    }

    // 5 rows of 11 above and 5 to the left, from top to bottom, as they are or less mean_of_two(); to `out`, whose
    // place behind them is returned.
    std::int16_t* gather(std::size_t y, std::size_t x, bool raw, std::int16_t* out) const {
        const std::int32_t base = raw ? 0 : mean_of_two(y, x);
        const std::uint8_t* here = row(y) + x;
        for (std::size_t above = kAbove; above > 0; --above) {
            out = copy(here - above * stride_ - kAside, 2 * kAside + 1, base, out);
        }
        return copy(here - kAside, kAside, base, out);
    }

    // 3 rows of 3 around a place.
    std::int16_t* gather_beside(std::size_t y, std::size_t x, bool raw, std::int16_t* out) const {
        const std::int32_t base = raw ? 0 : mean_of_two(y, x);
        const std::uint8_t* here = row(y) + x;
        for (const std::uint8_t* line : {here - stride_, here, here + stride_}) out = copy(line - 1, 3, base, out);
        return out;
    }

private:
    static constexpr std::uint8_t kUnknown = 128;

    static std::int16_t* copy(const std::uint8_t* from, std::size_t size, std::int32_t base, std::int16_t* out) {
        for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::int16_t>(from[i] - base);
        return out + size;
    }

    const std::uint8_t* row(std::size_t y) const { return rows_ + y * stride_; }
    std::uint8_t* row(std::size_t y) { return rows_ + y * stride_; }

    std::size_t height_ = 0, width_, stride_;
    std::vector<std::uint8_t> samples_;
    std::uint8_t* rows_ = nullptr;
};

}  // namespace recodec::zoo
