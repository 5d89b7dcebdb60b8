// Weights of a linear prediction by least squares over a window that fades in two dimensions, in integers. FORMAT.md,
// section 14.5.
//
// Products of inputs of eight neighbouring samples are added up, fade down the picture by columns of groups and are
// spread sideways once per row, so that no window is ever summed again. What the current row adds has sums of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace recodec::lossless {

class LeastSquares {
public:
    static constexpr std::size_t kMostSlots = 4096;

    // Of rows of `width` samples.
    LeastSquares(std::size_t inputs, std::size_t width, const Fading& fading, const Kernels& kernels);

    void begin_row();

    // Q12, for samples from x on, a multiple of kGroup.
    void solve(std::size_t x);
    const Weights& weights() const { return weights_; }
    std::size_t inputs() const { return layout_.inputs; }

    // What came of sample x: inputs and target are differences in -255..255, `trust` lies in 1..64.
    void learn(std::size_t x, const Inputs& inputs, std::int16_t target, std::int16_t trust);

    void end_row();

private:
    std::int32_t* down(std::size_t slot) { return down_.data() + slot * layout_.size; }
    std::int32_t* around(std::size_t slot) { return around_.data() + slot * layout_.size; }

    Layout layout_;
    Fading fading_;
    const Kernels* kernels_;
    std::size_t width_;
    // Of a slot: as many as groups, or fewer for very wide rows, whose sums would take more than samples do.
    std::size_t columns_;
    // Of each slot what its columns add up to, and that of all around; of the current row so far.
    std::vector<std::int32_t> down_, around_, here_, passing_;
    Samples samples_{};
    std::size_t held_ = 0;
    Weights weights_{};
};

}  // namespace recodec::lossless
