#include "least_squares.hpp"

#include <algorithm>

namespace recodec::lossless {

LeastSquares::LeastSquares(std::size_t inputs, std::size_t width, const Fading& fading, const Kernels& kernels)
    : layout_(inputs),
      fading_(fading),
      kernels_(&kernels),
      width_(width),
      columns_(kGroup * ((width + kGroup * kMostSlots - 1) / (kGroup * kMostSlots))),
      down_((width + columns_ - 1) / columns_ * layout_.size),
      around_(down_.size()),
      here_(layout_.size),
      passing_(layout_.size) {}

void LeastSquares::begin_row() { std::ranges::fill(here_, 0); }

void LeastSquares::solve(std::size_t x) { kernels_->solve(layout_, around(x / columns_), here_.data(), weights_); }

void LeastSquares::learn(std::size_t x, const Inputs& inputs, std::int16_t target, std::int16_t trust) {
    Inputs& values = samples_.values[held_];
    values = inputs;
    values[layout_.inputs] = target;
    std::fill(values.begin() + static_cast<std::ptrdiff_t>(layout_.inputs) + 1, values.end(), std::int16_t{0});
    samples_.trust[held_++] = trust;
    if (held_ < kGroup && x + 1 < width_) return;
    std::fill(samples_.trust.begin() + static_cast<std::ptrdiff_t>(held_), samples_.trust.end(), std::int16_t{0});
    kernels_->add(layout_, fading_, samples_, down(x / columns_), here_.data());
    held_ = 0;
}

void LeastSquares::end_row() {
    const std::size_t slots = down_.size() / layout_.size;
    std::ranges::fill(passing_, 0);
    for (std::size_t g = 0; g < slots; ++g) {
        kernels_->spread_right(layout_, fading_, down(g), passing_.data(), around(g));
    }
    std::ranges::fill(passing_, 0);
    for (std::size_t g = slots; g-- > 0;) {
        kernels_->spread_left(layout_, fading_, down(g), passing_.data(), around(g));
    }
}

}  // namespace recodec::lossless
