// Counters of drawn pictures: by what exactly lies around a sample, and by what followed the last time that it did.
// FORMAT.md, section 14.10.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "decisions.hpp"
#include "error_coder.hpp"
#include "planes.hpp"
#include "predictors.hpp"

namespace recodec::lossless {

class ExactContexts {
public:
    static constexpr std::size_t kContexts = 6, kCounters = 2 * kContexts + 1;

    ExactContexts(const PlanesSoFar& planes, std::uint32_t width, std::size_t samples)
        : planes_(planes), width_(width), bits_(table_bits(samples)), seen_(std::size_t{1} << bits_, kNowhere) {
        for (auto& table : tables_) table.resize(std::size_t{1} << (bits_ + kCountersPerSample));
        for (std::size_t i = 0; i < maps_.size(); ++i) {
            maps_[i].probability = static_cast<std::uint16_t>((i % kSteps) * 1024 + 512);
            maps_[i].count = 6;
        }
    }

    // Before sample x of row y.
    void look(std::uint32_t y, std::uint32_t x) {
        const std::uint16_t* at = planes_.at_work().samples.at(y, x);
        const std::ptrdiff_t up = -planes_.at_work().samples.stride();
        const std::uint32_t left = at[-1], above = at[up], corner = at[up - 1], right = at[up + 1];
        centre_ = median_of(at[-1], at[up], at[up - 1]);
        std::uint32_t here = 0, around = 0;
        if (planes_.size() > 1) {
            const std::uint16_t* other = planes_.before().samples.at(y, x);
            here = hash({other[0], planes_.first().samples.at(y, x)[0]});
            around = hash({other[-1], other[up], other[1], other[-up]});
            colour_ = &colours_[here >> (32 - kColourBits)];
            if (*colour_ != kNowhere) centre_ = static_cast<std::int32_t>(*colour_);
        }
        const auto from = static_cast<std::uint32_t>(centre_);
        rows_[0] = hash({1, from, left, above, corner, right});
        rows_[1] = hash({2, from, left, here});
        rows_[2] = hash({3, from, left, above, corner, right, here, around});
        rows_[3] = hash({4, from, left, above, corner, right, at[-2], at[2 * up], here});
        rows_[4] = hash({5, rows_[3], at[-3], at[up - 2], at[up + 2], at[2 * up - 1], at[2 * up + 1]});
        rows_[5] = planes_.size() > 1 ? hash({6, from, here}) : hash({6, from, left, above, corner, at[up - 2]});
        key_ = hash({7, rows_[4], at[-4], at[up - 3], at[up + 3], at[2 * up - 2], at[2 * up + 2], around}) >> (32 - bits_);
        if (length_ == 0) next_ = seen_[key_];
        expected_ = next_ == kNowhere ? -1 : *planes_.at_work().samples.at(next_ / width_, next_ % width_);
    }

    // What decisions count from.
    std::int32_t centre() const { return centre_; }
    // The sample that is expected; -1 if none is.
    std::int32_t expected() const { return expected_; }

    // Counters of a decision; `said` is 0 if the expected sample says nothing of it, 1 if it says no, 2 if yes.
    std::array<RowCounter*, kCounters> counters(std::size_t node, std::uint32_t said) {
        std::array<RowCounter*, kCounters> found;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            found[i] = &tables_[i][hash({rows_[i], static_cast<std::uint32_t>(node)}) >> (32 - bits_ - kCountersPerSample)];
            const std::size_t count = std::min<std::size_t>(found[i]->count, kCounts - 1);
            found[kContexts + i] = &maps_[(i * kCounts + count) * kSteps + (found[i]->probability >> 10)];
        }
        found.back() = &matches_[(std::min(length_, kLongest) * 3 + said) * kNodes + node];
        return found;
    }

    std::uint32_t selector() const { return expected_ < 0 ? 0 : 1 + std::min(length_, kLongest); }

    void learn(std::uint32_t y, std::uint32_t x, std::int32_t sample) {
        const std::uint32_t place = y * width_ + x;
        seen_[key_] = place;
        if (colour_ != nullptr) *colour_ = static_cast<std::uint32_t>(sample);
        if (expected_ != sample) {
            length_ = 0;
        } else {
            ++length_;
            if (++next_ > place) length_ = 0;
        }
    }

private:
    static constexpr std::uint32_t kNowhere = 0xFFFFFFFF, kLongest = 15;
    // As many as decisions of deep planes have.
    static constexpr std::size_t kNodes = ErrorCoder<true, 1>::kNodes;
    // How often a counter was told, and its probability, in so many steps.
    static constexpr std::size_t kCounts = 16, kSteps = 64;
    static constexpr int kColourBits = 16;
    // Counters for every place in the table of places, as a power of 2.
    static constexpr int kCountersPerSample = 2;

    static int table_bits(std::size_t samples) {
        return std::clamp(static_cast<int>(std::bit_width(samples)), 10, 18);
    }

    static std::uint32_t hash(std::initializer_list<std::uint32_t> values) {
        std::uint32_t found = 0;
        for (const std::uint32_t value : values) {
            found = (found ^ value) * 0x9E3779B1u;
            found ^= found >> 15;
        }
        return found * 0x85EBCA6Bu;
    }

    PlanesSoFar planes_;
    std::uint32_t width_;
    int bits_;
    std::array<std::vector<RowCounter>, kContexts> tables_;
    std::vector<RowCounter> maps_ = std::vector<RowCounter>(kContexts * kCounts * kSteps);
    std::vector<RowCounter> matches_ = std::vector<RowCounter>((kLongest + 1) * 3 * kNodes);
    // Where a key was seen last.
    std::vector<std::uint32_t> seen_;
    std::array<std::uint32_t, kContexts> rows_{};
    // What samples of the planes before were last seen with.
    std::vector<std::uint32_t> colours_ = std::vector<std::uint32_t>(std::size_t{1} << kColourBits, kNowhere);
    std::uint32_t* colour_ = nullptr;
    std::uint32_t key_ = 0, next_ = kNowhere, length_ = 0;
    std::int32_t centre_ = 0, expected_ = -1;
};

}  // namespace recodec::lossless
