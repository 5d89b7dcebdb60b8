// The definition of the kernels. FORMAT.md, sections 14.5 and 14.9.
#include <algorithm>
#include <cstdlib>

#include "kernels.hpp"
#include "mixers.hpp"
#include "solution.hpp"

namespace recodec::lossless {

namespace {

std::array<std::int32_t, 2> mix(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers) {
    std::array<std::int64_t, 2> sums{};
    for (std::size_t i = 0; i < lanes; ++i) {
        sums[0] += std::int64_t{mixers.first[i]} * logits[i];
        sums[1] += std::int64_t{mixers.second[i]} * logits[i];
    }
    return {mixed_logit(sums[0]), mixed_logit(sums[1])};
}

void adapt(std::size_t lanes, const std::int32_t* logits, const Mixers& mixers,
           const std::array<std::int32_t, 2>& errors, std::int32_t rate) {
    const auto learn = [&](std::int32_t* weights, std::int32_t error) {
        for (std::size_t i = 0; i < lanes; ++i) {
            const std::int32_t change = ((error * logits[i] >> 12) * rate + 32768) >> 16;
            weights[i] = std::clamp(weights[i] + change, -kMostMixerWeight, kMostMixerWeight);
        }
    };
    learn(mixers.first, errors[0]);
    learn(mixers.second, errors[1]);
}

std::int32_t faded(std::int32_t sum, const std::array<int, 2>& shifts) {
    const auto part = [&](int shift) { return (sum + (1 << (shift - 1))) >> shift; };
    return sum - part(shifts[0]) - part(shifts[1]);
}

void add(const Layout& layout, const Fading& fading, const Samples& samples, std::int32_t* down, std::int32_t* here) {
    for (std::size_t j = 0; j < layout.inputs; ++j) {
        std::int32_t *below = down + layout.origin[j], *now = here + layout.origin[j];
        for (std::size_t i = j; i <= layout.inputs; ++i) {
            std::int32_t sum = 0;
            for (std::size_t s = 0; s < samples.values.size(); ++s) {
                sum += samples.values[s][j] * samples.trust[s] * samples.values[s][i];
            }
            below[i] = faded(below[i], fading.down) + sum;
            now[i] = faded(now[i], fading.across) + sum;
        }
    }
}

void spread_right(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                  std::int32_t* around) {
    for (std::size_t i = 0; i < layout.size; ++i) around[i] = passing[i] = faded(passing[i], fading.across) + down[i];
}

void spread_left(const Layout& layout, const Fading& fading, const std::int32_t* down, std::int32_t* passing,
                 std::int32_t* around) {
    for (std::size_t i = 0; i < layout.size; ++i) {
        const std::int32_t sum = faded(passing[i], fading.across);
        around[i] += sum;
        passing[i] = sum + down[i];
    }
}

std::size_t at(const Layout& layout, std::size_t j, std::size_t i) {
    return static_cast<std::size_t>(layout.origin[j] + static_cast<std::ptrdiff_t>(i));
}

void solve(const Layout& layout, const std::int32_t* around, const std::int32_t* here, Weights& weights) {
    const std::size_t inputs = layout.inputs;
    const auto sum = [&](std::size_t j, std::size_t i) { return around[at(layout, j, i)] + here[at(layout, j, i)]; };
    std::int32_t most = 0;
    for (std::size_t j = 0; j < inputs; ++j) most = std::max({most, sum(j, j), std::abs(sum(j, inputs))});
    const int shift = shift_of(most);
    const std::int64_t ridge = std::max<std::int64_t>(shifted(kRidge, shift), 1) << kSumBits;

    std::int64_t factors[kMostInputs][kPlaces], reciprocals[kMostInputs];
    for (std::size_t j = 0; j < inputs; ++j) {
        std::int64_t left[kPlaces] = {};
        for (std::size_t i = j; i <= inputs; ++i) {
            left[i] = shifted(sum(j, i), shift) << kSumBits;
            for (std::size_t k = 0; k < j; ++k) left[i] -= factors[k][j] * factors[k][i];
        }
        const std::int64_t pivot = square_root(std::max(left[j] + ridge, kLeastPivot));
        reciprocals[j] = reciprocal(pivot);
        factors[j][j] = pivot;
        for (std::size_t i = j + 1; i <= inputs; ++i) factors[j][i] = factor(left[i], pivot, reciprocals[j]);
    }
    std::int64_t found[kMostInputs];
    for (std::size_t i = inputs; i-- > 0;) {
        std::int64_t left = factors[i][inputs] << 16;
        for (std::size_t k = i + 1; k < inputs; ++k) left -= factors[i][k] * found[k];
        found[i] = weight(left, factors[i][i], reciprocals[i]);
        weights[i] = to_q12(found[i]);
    }
}

}  // namespace

const Kernels kScalarKernels = {mix, adapt, add, spread_right, spread_left, solve};

}  // namespace recodec::lossless
