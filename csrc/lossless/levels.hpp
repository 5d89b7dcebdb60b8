// The values that the samples of a plane take, where they leave out many: their ranks are coded in their place.
// FORMAT.md, section 14.2.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../mixing.hpp"

namespace recodec::lossless {

inline constexpr Probability kEven = 32768;

class Levels {
public:
    // All of 0..most.
    explicit Levels(std::int32_t most = 255) : limit_(most) {}
    // Those in `values`, which are sorted and not empty.
    Levels(std::int32_t most, std::vector<std::uint16_t> values) : limit_(most), values_(std::move(values)) {}

    std::int32_t most() const { return values_.empty() ? limit_ : static_cast<std::int32_t>(values_.size()) - 1; }

    std::uint16_t rank(std::uint16_t value) const {
        if (values_.empty()) return value;
        return static_cast<std::uint16_t>(std::ranges::lower_bound(values_, value) - values_.begin());
    }
    std::uint16_t value(std::uint16_t rank) const { return values_.empty() ? rank : values_[rank]; }

    template <class Bits>
    void code(Bits& bits) {
        if (!bits.put(!values_.empty(), kEven)) {
            values_.clear();
            return;
        }
        // By how far back the last level lies, and how far before it the one before.
        std::vector<Counter<250>> counters(kGaps * kGaps);
        std::vector<std::uint16_t> found;
        std::size_t since = 0, gap = 0;
        auto next = values_.begin();
        for (std::int32_t value = 0; value <= limit_; ++value) {
            const bool used = next != values_.end() && *next == value;
            if (used) ++next;
            Counter<250>& counter = counters[std::min(since, kGaps - 1) * kGaps + std::min(gap, kGaps - 1)];
            const bool level = bits.put(used, counter.probability);
            counter.learn(level);
            if (level) {
                found.push_back(static_cast<std::uint16_t>(value));
                gap = since;
                since = 0;
            } else {
                ++since;
            }
        }
        // Any data are some levels.
        if (found.empty()) found.push_back(0);
        values_ = std::move(found);
    }

private:
    static constexpr std::size_t kGaps = 64;

    std::int32_t limit_;
    std::vector<std::uint16_t> values_;
};

}  // namespace recodec::lossless
