// Online logistic regression for all channels of a position at once, over few inputs that are -1 or +1.
//
// An input's weights for all channels lie side by side: what is known before a position begins is added
// up in one pass over rows, and so is what was learned from it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recodec {

class SparseRegression {
public:
    // Weights start at zero and stay within -limit..limit. Input 0 is a constant +1.
    SparseRegression(std::size_t inputs, std::size_t channels, std::int32_t limit)
        : channels_(channels), limit_(limit), weights_((inputs + 1) * channels, 0), sums_(channels), steps_(channels) {
        active_.reserve(inputs + 1);
    }

    void begin_position() {
        active_.clear();
        std::fill(sums_.begin(), sums_.end(), 0);
        std::fill(steps_.begin(), steps_.end(), 0);
        add_input(0, true, 0);
    }

    // Input `input` of the caller's counts from 0; channels before `first` do not see it.
    void add(std::size_t input, bool positive, std::size_t first = 0) { add_input(input + 1, positive, first); }

    // Sum of weights times inputs, Q16.
    std::int32_t sum(std::size_t channel) const { return sums_[channel]; }

    // Moves every weight of the channel by step * input, when the position ends.
    void learn(std::size_t channel, std::int32_t step) { steps_[channel] = step; }

    void end_position() {
        for (const auto [input, first, positive] : active_) {
            std::int32_t* weights = weights_.data() + input * channels_;
            const std::int32_t sign = positive ? 1 : -1;
            for (std::size_t d = first; d < channels_; ++d) {
                weights[d] = std::clamp(weights[d] + sign * steps_[d], -limit_, limit_);
            }
        }
    }

private:
    struct Input {
        std::size_t input, first;
        bool positive;
    };

    void add_input(std::size_t input, bool positive, std::size_t first) {
        active_.push_back({input, first, positive});
        const std::int32_t* weights = weights_.data() + input * channels_;
        const std::int32_t sign = positive ? 1 : -1;
        for (std::size_t d = first; d < channels_; ++d) sums_[d] += sign * weights[d];
    }

    std::size_t channels_;
    std::int32_t limit_;
    std::vector<std::int32_t> weights_, sums_, steps_;
    std::vector<Input> active_;
};

}  // namespace recodec
