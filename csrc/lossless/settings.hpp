// What an effort spends on a sample. FORMAT.md, section 14.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "neighbourhood.hpp"

namespace recodec::lossless {

enum class Effort : std::uint8_t { fast, standard, best };
inline constexpr std::size_t kEfforts = 3;

// Where least squares learn from. Samples of a window that reaches far are trusted less, so that its sums stay within 31 bits.
struct Window {
    Fading fading;
    std::size_t inputs;  // the first so many at most
    std::int32_t trust;  // 16 times that of a sample all of whose neighbours are predicted exactly
};

// Distributions and counters of a decision by their numbers.
struct FastSetting {
    static constexpr std::array<Window, 1> kWindows = {{{{{3, 5}, {1, 7}}, kMostInputs, 1024}}};
    static constexpr std::array<std::size_t, 2> kDistributions = {0, 2};
    static constexpr std::array<std::size_t, 3> kCounters = {0, 1, 4};
    static constexpr Reach kAlone = {8, 0, 0}, kAfter = {6, 5, 1};
};

struct StandardSetting {
    static constexpr std::array<Window, 1> kWindows = {{{{{3, 5}, {1, 7}}, kMostInputs, 1024}}};
    static constexpr std::array<std::size_t, 3> kDistributions = {0, 1, 2};
    static constexpr std::array<std::size_t, 5> kCounters = {0, 1, 2, 3, 4};
    static constexpr Reach kAlone = {20, 0, 0}, kAfter = {12, 13, 9};
};

struct BestSetting {
    static constexpr std::array<Window, 3> kWindows = {{{{{3, 5}, {1, 7}}, kMostInputs, 1024},
                                                        {{{5, 6}, {3, 4}}, kMostInputs, 256},
                                                        {{{2, 4}, {1, 2}}, 30, 1024}}};
    static constexpr std::array<std::size_t, 8> kDistributions = {0, 1, 2, 3, 4, 5, 6, 7};
    static constexpr std::array<std::size_t, 8> kCounters = {0, 1, 2, 3, 4, 5, 6, 7};
    static constexpr Reach kAlone = {24, 0, 0}, kAfter = {13, 13, 13};
};

// What samples of a plane may be: 0..most; and how many of their lowest bits are noise, about, which contexts leave out.
struct SampleRange {
    std::int32_t most;
    int noise;
};
inline constexpr int kNoiseBits = 4, kMostNoise = 8;

}  // namespace recodec::lossless
