// Online regression over codes: one row of integer weights per channel, inputs that are -1, 0 or +1.
//
// Codes are -1 or +1, and 0 where there is no neighbour: inputs come in groups of `depth`, and a group of
// zeros, which can change nothing, is left out whole. What remains is kept as masks of all ones or all
// zeros: weight * code is (weight ^ mask) - mask, which every compiler turns into vector instructions
// that every processor has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace recodec {

// Inputs of a row: `neighbours` groups of depth codes, a constant +1, the codes of this position.
class Regression {
public:
    // Weights start at zero and stay within -limit..limit.
    Regression(std::size_t depth, std::size_t neighbours, std::int32_t limit)
        : depth_(depth), constant_(neighbours * depth), limit_(limit) {
        masks_.assign(constant_ + 1 + depth, 0);
        weights_.assign(masks_.size() * depth, 0);
        reach_.assign(depth, 0);
    }

    // A position begins with its neighbours, in order, then begin_codes().
    void begin_position() {
        runs_.clear();
        negatives_ = 0;
    }
    void add_neighbour(std::size_t neighbour, const std::int8_t* codes) {
        if (codes[0] == 0) return;
        const std::size_t begin = neighbour * depth_;
        std::int32_t* masks = masks_.data() + begin;
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < depth_; ++i) {
            masks[i] = codes[i] >> 7;
            sum += masks[i];
        }
        negatives_ -= static_cast<std::uint32_t>(sum);
        extend(begin, begin + depth_);
    }
    void begin_codes() { extend(constant_, constant_ + 1); }

    // Sum of weights times inputs, modulo 2^32: only more than 255 channels could ever exceed 31 bits.
    std::int32_t sum(std::size_t channel) const {
        const std::int32_t* weights = weights_.data() + channel * masks_.size();
        std::uint32_t total = negatives_;
        for (const auto [begin, end] : runs_) {
            for (std::size_t i = begin; i < end; ++i) total += static_cast<std::uint32_t>(weights[i] ^ masks_[i]);
        }
        return static_cast<std::int32_t>(total);
    }

    // Moves every weight by step * input.
    void learn(std::size_t channel, std::int32_t step) {
        std::int32_t* weights = weights_.data() + channel * masks_.size();
        const std::int32_t reach = reach_[channel] + std::abs(step);
        for (const auto [begin, end] : runs_) {
            for (std::size_t i = begin; i < end; ++i) weights[i] += (step ^ masks_[i]) - masks_[i];
        }
        reach_[channel] = reach <= limit_ ? reach : clamp(weights);
    }

    // The code of `channel` joins the inputs; channels come in order.
    void add_code(bool positive) {
        masks_[runs_.back().end++] = positive ? 0 : -1;
        negatives_ += !positive;
    }

private:
    struct Run {
        std::size_t begin, end;
    };

    void extend(std::size_t begin, std::size_t end) {
        if (!runs_.empty() && runs_.back().end == begin) {
            runs_.back().end = end;
        } else {
            runs_.push_back({begin, end});
        }
    }

    // Holds a row to the limit; returns its largest magnitude.
    std::int32_t clamp(std::int32_t* weights) const {
        std::int32_t largest = 0;
        for (std::size_t i = 0; i < masks_.size(); ++i) {
            weights[i] = std::clamp(weights[i], -limit_, limit_);
            largest = std::max(largest, std::abs(weights[i]));
        }
        return largest;
    }

    std::size_t depth_, constant_;
    std::int32_t limit_;
    std::vector<std::int32_t> masks_, weights_;
    // No weight of the row is larger than this, so clamping can wait until the limit comes in sight.
    std::vector<std::int32_t> reach_;
    std::vector<Run> runs_;         // inputs that are not zero
    std::uint32_t negatives_ = 0;  // inputs that are -1
};

}  // namespace recodec
