#include "embedded_adaptive_coder.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "count_level.hpp"

namespace recodec {

namespace {

constexpr std::size_t kSignContexts = 9, kRefinementContexts = 2;
// A latent's direct neighbours count twice.
constexpr std::uint32_t kMostUnits = 3;
constexpr std::int32_t kCounterShare = 26214, kMixerRate = 160;  // Q16
constexpr std::uint16_t kStartProbability = 6554, kStartCount = 2;

}  // namespace

EmbeddedAdaptiveCoder::EmbeddedAdaptiveCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                                             std::shared_ptr<const EmbeddedOrder> order)
    : EmbeddedCoder(depth, height, width, std::move(order)) {
    const Counter start = {kStartProbability, kStartCount};
    own_.assign(this->order().codes() * kLevels, start);
    shared_.assign(kLevels * kLevels * kLevels, start);
    plane_.assign(EmbeddedOrder::kMostPlanes * kLevels * kLevels, start);
    sign_.assign(this->order().channels() * kSignContexts, Counter{});
    refinement_.assign(this->order().codes() * kRefinementContexts, Counter{});
    mixer_.resize(kLevels * kMixed);
    for (std::size_t i = 0; i < mixer_.size(); ++i) mixer_[i] = i % kMixed == kCounters ? 0 : kCounterShare;
}

std::uint32_t EmbeddedAdaptiveCoder::magnitudes_around(std::size_t cell, EmbeddedOrder::Code code) {
    std::uint32_t total = 0;
    const auto add = [&](std::ptrdiff_t dy, std::ptrdiff_t dx, std::uint32_t weight) {
        const std::int16_t index = latents().indices(grid_.beside(cell, dy, dx))[code.channel];
        const auto magnitude = static_cast<std::uint32_t>(index < 0 ? -index : index);
        total += weight * std::min(magnitude >> code.plane, kMostUnits);
    };
    add(-1, -1, 1);
    add(-1, 0, 2);
    add(-1, 1, 1);
    add(0, -1, 2);
    add(0, 1, 2);
    add(1, -1, 1);
    add(1, 0, 2);
    add(1, 1, 1);
    return total;
}

std::size_t EmbeddedAdaptiveCoder::sign_context(std::size_t cell, std::size_t channel) {
    const auto trit = [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
        const std::int16_t index = latents().indices(grid_.beside(cell, dy, dx))[channel];
        return static_cast<std::size_t>(1 + (index > 0) - (index < 0));
    };
    return trit(0, -1) * 3 + trit(-1, 0);
}

template <class Bits>
bool EmbeddedAdaptiveCoder::code_significance(Bits& bits, bool significant, std::size_t code, std::size_t plane,
                                              const Activity& activity) {
    const auto [around, position, here] = activity;
    const std::array<Counter*, kCounters> counters = {
        &own_[code * kLevels + around],
        &shared_[(position * kLevels + around) * kLevels + here],
        &plane_[(plane * kLevels + around) * kLevels + here],
    };
    Mixture<kMixed> mixture;
    for (std::size_t j = 0; j < kCounters; ++j) mixture.logits[j] = logit(counters[j]->probability);
    mixture.logits[kCounters] = kConstantInput;
    std::int32_t* weights = mixer_.data() + around * kMixed;
    const Probability p = mixture.probability(weights);
    significant = bits.put(significant, p);
    mixture.learn(weights, (significant ? 65536 : 0) - p, kMixerRate);
    for (Counter* counter : counters) counter->learn(significant);
    return significant;
}

template <class Bits>
void EmbeddedAdaptiveCoder::code_position(Bits& bits, std::size_t cell, std::int8_t* codes) {
    const EmbeddedOrder::Chunk& chunk = order().chunk(at_work());
    const std::int8_t* sizes = latents().sizes(cell);
    std::uint32_t active = 0;
    for (std::size_t channel = 0; channel < order().channels(); ++channel) active += sizes[channel] != 0;
    const std::size_t position = level(active);
    std::uint32_t here = 0;
    for (std::size_t i = 0; i < chunk.codes.size(); ++i) {
        const EmbeddedOrder::Code held = chunk.codes[i];
        const std::size_t number = chunk.first + i;
        const std::int16_t index = latents().indices(cell)[held.channel];
        std::int8_t code = codes[i];
        if (index == 0) {
            const Activity activity = {level(magnitudes_around(cell, held)), position, level(here)};
            code = code_significance(bits, code != 0, number, held.plane, activity) ? (code < 0 ? -1 : 1) : 0;
            if (code != 0) {
                Counter& counter = sign_[held.channel * kSignContexts + sign_context(cell, held.channel)];
                const bool positive = bits.put(code > 0, counter.probability);
                counter.learn(positive);
                code = positive ? 1 : -1;
                ++here;
            }
        } else {
            const bool first = std::abs(index) == 1 << (held.plane + 1);
            Counter& counter = refinement_[number * kRefinementContexts + first];
            const bool one = bits.put(code != 0, counter.probability);
            counter.learn(one);
            code = static_cast<std::int8_t>(one ? (index > 0 ? 1 : -1) : 0);
        }
        if (code != 0) latents().add(cell, held.channel, code, held.plane);
        codes[i] = code;
    }
}

template <class Bits>
void EmbeddedAdaptiveCoder::code_plane(Bits bits) {
    const std::size_t depth = order().chunk(at_work()).codes.size();
    for (std::uint32_t y = 0; y < grid_.height; ++y) {
        std::int8_t* codes = row(y);
        for (std::uint32_t x = 0; x < grid_.width; ++x, codes += depth) {
            code_position(bits, grid_.cell_of(y, x), codes);
        }
    }
}

void EmbeddedAdaptiveCoder::write_plane(RangeEncoder& encoder) {
    check_signs();
    code_plane(BitWriter(encoder));
}

void EmbeddedAdaptiveCoder::read_plane(const RangeDecoder& decoder) { code_plane(BitReader(decoder)); }

}  // namespace recodec
