#include "ternary_coder.hpp"

#include <algorithm>
#include <utility>

#include "count_level.hpp"

namespace recodec {

namespace {

constexpr std::array<Neighbour, TernaryCoder::kNeighbourCount> kNeighbours = {{
    {0, 0, -1}, {0, -1, 0}, {0, -1, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0},
}};

// Iterations with a set of their own for counters and mixer; later ones share the last.
constexpr std::uint32_t kStages = 3;

constexpr std::size_t kAnyContexts = kLevels * kLevels;
constexpr std::size_t kActiveContexts = kLevels * kLevels;
constexpr std::size_t kSignContexts = 27;

constexpr Rates kActiveRates = {400, 160}, kSignRates = {655, 200};
constexpr std::int32_t kRegressionShare = 20000, kCounterShare = 16384;  // initial mixer weights, Q16
constexpr std::uint16_t kActiveProbability = 6554, kActiveCount = 2;  // where counters start

}  // namespace

TernaryCoder::TernaryCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width)
    : PlaneCoder(depth, height, width),
      planes_(grid_, depth),
      any_(kStages * kAnyContexts),
      active_regression_((kNeighbours.size() + 1) * depth, depth, kWeightLimit),
      sign_regression_((kNeighbours.size() + 1) * depth, depth, kWeightLimit) {
    const std::size_t channels = std::size_t{kStages} * depth;
    for (auto& counts : counts_) counts.assign(grid_.cells(), 0);
    const Counter active_start = {kActiveProbability, kActiveCount};
    for (auto& counters : active_counters_) counters.assign(channels * kActiveContexts, active_start);
    activity_counters_.assign(kLevels * kLevels * kLevels, active_start);
    for (auto& counters : sign_counters_) counters.assign(channels * kSignContexts, Counter{});
    const auto start = [&](std::vector<std::int32_t>& mixer, std::size_t sets, std::size_t mixed) {
        mixer.assign(sets * mixed, kCounterShare);
        for (std::size_t i = 0; i < mixer.size(); i += mixed) {
            mixer[i] = kRegressionShare;
            mixer[i + mixed - 1] = 0;
        }
    };
    start(active_mixer_, kStages * kLevels, kActiveMixed);
    start(sign_mixer_, channels, kSignMixed);
}

void TernaryCoder::begin_plane() {
    if (iteration() == 0) return;
    planes_.advance();
    std::swap(counts_[0], counts_[1]);
    std::fill(counts_[0].begin(), counts_[0].end(), std::uint16_t{0});
}

template <class Bits>
bool TernaryCoder::code_active(Bits& bits, bool active, const Neighbourhood& codes, std::uint32_t d,
                               const Activity& activity) {
    const std::size_t stage = std::min(iteration(), kStages - 1);
    const std::size_t channel = stage * depth_ + d;
    const auto [here, around, last] = activity;
    const auto set = [&](std::size_t neighbour) { return std::size_t{codes[neighbour][d] != 0}; };
    const std::size_t same = set(0) + 2 * set(1) + 4 * set(2);
    const std::array<std::size_t, kActiveCounters> contexts = {
        here * kLevels + around,
        same * kLevels + around,
        last * kLevels + around,
    };
    std::array<Counter*, kActiveCounters + 1> counters{};
    for (std::size_t j = 0; j < kActiveCounters; ++j) {
        counters[j] = &active_counters_[j][channel * kActiveContexts + contexts[j]];
    }
    counters[kActiveCounters] = &activity_counters_[(here * kLevels + around) * kLevels + last];
    std::int32_t* mix = active_mixer_.data() + (stage * kLevels + here) * kActiveMixed;
    return code_mixed(bits, active, active_regression_, d, counters, mix, kActiveRates);
}

template <class Bits>
bool TernaryCoder::code_sign(Bits& bits, bool positive, const Neighbourhood& codes, std::uint32_t d) {
    const std::size_t channel = std::min(iteration(), kStages - 1) * depth_ + d;
    const auto trit = [&](std::size_t neighbour) { return static_cast<std::size_t>(codes[neighbour][d] + 1); };
    const std::array<std::size_t, kSignCounters> contexts = {
        (trit(0) * 3 + trit(1)) * 3 + trit(2),
        (trit(3) * 3 + trit(0)) * 3 + trit(1),
    };
    std::array<Counter*, kSignCounters> counters{};
    for (std::size_t j = 0; j < kSignCounters; ++j) {
        counters[j] = &sign_counters_[j][channel * kSignContexts + contexts[j]];
    }
    std::int32_t* mix = sign_mixer_.data() + channel * kSignMixed;
    return code_mixed(bits, positive, sign_regression_, d, counters, mix, kSignRates);
}

template <class Bits>
void TernaryCoder::code_position(Bits& bits, std::size_t cell) {
    std::int8_t* here = planes_.codes(cell);
    const std::uint32_t west = count_at(0, cell, 0, -1), north = count_at(0, cell, -1, 0);
    const std::uint32_t last_here = count_at(1, cell, 0, 0);
    const std::size_t around = level(west + north);
    const std::size_t last = level(2 * last_here + count_at(1, cell, 0, 1) + count_at(1, cell, 1, 0));

    const std::size_t stage = std::min(iteration(), kStages - 1);
    Counter& any_counter = any_[stage * kAnyContexts + around * kLevels + last];
    const bool any = bits.put(std::any_of(here, here + depth_, [](std::int8_t code) { return code != 0; }),
                              any_counter.probability);
    any_counter.learn(any);
    if (!any) return;

    Neighbourhood codes{};
    active_regression_.begin_position();
    sign_regression_.begin_position();
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = planes_.codes(kNeighbours[i], cell);
        for (std::uint32_t d = 0; d < depth_; ++d) {
            if (codes[i][d] == 0) continue;
            active_regression_.add(i * depth_ + d, true);
            sign_regression_.add(i * depth_ + d, codes[i][d] > 0);
        }
    }
    std::uint16_t count = 0;
    for (std::uint32_t d = 0; d < depth_; ++d) {
        if (!code_active(bits, here[d] != 0, codes, d, {level(count), around, last})) {
            here[d] = 0;
            continue;
        }
        const bool positive = code_sign(bits, here[d] > 0, codes, d);
        here[d] = positive ? 1 : -1;
        ++count;
        active_regression_.add(kNeighbours.size() * depth_ + d, true, d + 1);
        sign_regression_.add(kNeighbours.size() * depth_ + d, positive, d + 1);
    }
    counts_[0][cell] = count;
    active_regression_.end_position();
    sign_regression_.end_position();
}

template <class Bits>
void TernaryCoder::code_plane(Bits bits) {
    grid_.for_each_cell([&](std::size_t cell) { code_position(bits, cell); });
}

void TernaryCoder::write_plane(RangeEncoder& encoder) { code_plane(BitWriter(encoder)); }

void TernaryCoder::read_plane(const RangeDecoder& decoder) { code_plane(BitReader(decoder)); }

}  // namespace recodec
