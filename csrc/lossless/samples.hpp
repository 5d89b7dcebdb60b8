// Planes of samples and of what was missed of them, with a border that reads like the nearest sample.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "../sizes.hpp"

namespace recodec::lossless {

template <class T>
class BorderedPlane {
public:
    static constexpr std::ptrdiff_t kBorder = 5;

    BorderedPlane(std::uint32_t height, std::uint32_t width, T outside)
        : height_(height),
          width_(width),
          stride_(static_cast<std::ptrdiff_t>(width) + 2 * kBorder),
          values_(size_product({width + std::size_t{2 * kBorder}, height + std::size_t{2 * kBorder}}), outside) {}

    std::ptrdiff_t stride() const { return stride_; }
    T* at(std::uint32_t y, std::uint32_t x) { return const_cast<T*>(std::as_const(*this).at(y, x)); }
    const T* at(std::uint32_t y, std::uint32_t x) const {
        // Signed as a whole: where addresses have 32 bits, an unsigned factor would make all of it unsigned.
        return values_.data() + (static_cast<std::ptrdiff_t>(y) + kBorder) * stride_ + x + kBorder;
    }

    // Before row y is coded: what lies left of it is what begins the row above.
    void begin_row(std::uint32_t y) {
        if (y > 0) std::fill_n(at(y, 0) - kBorder, kBorder, *at(y - 1, 0));
    }

    // Once row y is whole; the first and the last row stand for those beyond as well.
    void end_row(std::uint32_t y) {
        T* row = at(y, 0);
        std::fill_n(row - kBorder, kBorder, row[0]);
        std::fill_n(row + width_, kBorder, row[width_ - 1]);
        const T* whole = row - kBorder;
        for (std::ptrdiff_t i = 1; i <= kBorder; ++i) {
            if (y == 0) std::copy_n(whole, stride_, row - kBorder - i * stride_);
            if (y + 1 == height_) std::copy_n(whole, stride_, row - kBorder + i * stride_);
        }
    }

private:
    std::uint32_t height_, width_;
    std::ptrdiff_t stride_;
    std::vector<T> values_;
};

using SamplePlane = BorderedPlane<std::uint16_t>;
using ErrorPlane = BorderedPlane<std::int16_t>;

}  // namespace recodec::lossless
