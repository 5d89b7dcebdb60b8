// What takes the time of lossless coding, for each set of instructions; all give the same numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace recodec::lossless {

// Inputs of a prediction at most, and places for them and the target behind them, a multiple of 8.
inline constexpr std::size_t kMostInputs = 39, kPlaces = 40;

using Inputs = std::array<std::int16_t, kPlaces>;
using Weights = std::array<std::int16_t, kPlaces>;  // Q12

// Sums lose 2^-shift of themselves, twice, per row and per group of columns.
struct Fading {
    std::array<int, 2> down, across;
};

// Sums of products of inputs j < inputs with inputs and target i >= j, column by column, each from the multiple of 8 below j
// to that above the target; what lies before j means nothing.
struct Layout {
    explicit Layout(std::size_t count) : inputs(count), rows((count + 8) / 8 * 8) {
        for (std::size_t j = 0; j < count; ++j) {
            // So that product i of column j is number origin[j] + i.
            origin[j] = static_cast<std::ptrdiff_t>(size) - static_cast<std::ptrdiff_t>(j / 8 * 8);
            size += rows - j / 8 * 8;
        }
    }

    std::size_t inputs, rows, size = 0;
    std::array<std::ptrdiff_t, kMostInputs> origin{};
};

// Of neighbouring samples that share their weights.
inline constexpr std::size_t kGroup = 8;

// Inputs with the target behind them, zeros behind that, of a group of samples, and how far each is trusted.
struct Samples {
    std::array<Inputs, kGroup> values;
    std::array<std::int16_t, kGroup> trust;
};

// Two mixers of one decision: what they make of it, and how their weights follow what they missed. Logits lie in
// -32767..32767, Q12, weights are Q16; both have kLanes places, or twice as many.
inline constexpr std::size_t kLanes = 8;

struct Mixers {
    std::int32_t *first, *second;
};

struct Kernels {
    // Sums of products, Q12, within -kLogitLimit..kLogitLimit.
    std::array<std::int32_t, 2> (*mix)(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers);
    // After errors in Q16, at a rate in Q16 below 4096.
    void (*adapt)(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers,
                  const std::array<std::int32_t, 2>& errors, std::int32_t rate);
    // Sums fade, and take what the samples of a group add.
    void (*add)(const Layout& layout, const Fading& fading, const Samples& samples, std::int32_t* down,
                std::int32_t* here);
    // passing = fade(passing) + down; around = passing.
    void (*spread_right)(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                         std::int32_t* around);
    // around += fade(passing); passing = fade(passing) + down.
    void (*spread_left)(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                        std::int32_t* around);
    // The weights for which the squares summed in around + here, and a little of their own, are least.
    void (*solve)(const Layout& layout, const std::int32_t* around, const std::int32_t* here, Weights& weights);
};

extern const Kernels kScalarKernels;
#ifdef RECODEC_X86
extern const Kernels kAvx2Kernels;
#endif

// Those that RECODEC_INSTRUCTIONS names, or the fastest that the processor has. Throws Error like chosen_instructions().
const Kernels& chosen_kernels();

}  // namespace recodec::lossless
