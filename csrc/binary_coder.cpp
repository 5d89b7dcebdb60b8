#include "binary_coder.hpp"

#include <algorithm>

namespace recodec {

namespace {

// Those whose codes feed the regression.
constexpr std::array<Neighbour, BinaryCoder::kNeighbourCount> kNeighbours = {{
    {0, 0, -1}, {0, -1, 0}, {0, -1, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {2, 0, 0},
}};

constexpr std::size_t kContexts = 81;  // four ternary codes

// Iterations with a set of their own for counters and mixer; later ones share the last.
constexpr std::uint32_t kStages = 3;

constexpr Rates kRates = {655, 655};
constexpr std::int32_t kRegressionShare = 32768, kCounterShare = 13107;  // initial mixer weights, Q16

}  // namespace

BinaryCoder::BinaryCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width)
    : PlaneCoder(depth, height, width),
      planes_(grid_, depth),
      regression_(depth, kNeighbours.size(), kWeightLimit) {
    for (auto& counters : counters_) counters.assign(kStages * depth * kContexts, Counter{});
    mixer_.resize(kStages * depth * kMixed);
    for (std::size_t i = 0; i < mixer_.size(); i += kMixed) {
        mixer_[i] = kRegressionShare;
        std::fill_n(mixer_.begin() + static_cast<std::ptrdiff_t>(i) + 1, kCounters, kCounterShare);
        mixer_[i + kMixed - 1] = 0;
    }
}

void BinaryCoder::begin_plane() {
    if (iteration() > 0) planes_.advance();
}

BinaryCoder::Neighbourhood BinaryCoder::gather(std::size_t cell) {
    Neighbourhood codes{};
    regression_.begin_position();
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = planes_.codes(kNeighbours[i], cell);
        regression_.add_neighbour(i, codes[i]);
    }
    regression_.begin_codes();
    return codes;
}

template <class Bits>
void BinaryCoder::code_position(Bits& bits, std::size_t cell) {
    const Neighbourhood codes = gather(cell);
    const std::size_t stage = std::min(iteration(), kStages - 1);
    std::int8_t* here = planes_.codes(cell);

    for (std::uint32_t d = 0; d < depth_; ++d) {
        const auto trit = [&](std::size_t neighbour) { return static_cast<std::size_t>(codes[neighbour][d] + 1); };
        const std::size_t west = trit(0), north = trit(1), north_east = trit(2);
        const std::size_t last = trit(3), last_east = trit(4), last_south = trit(5), before = trit(6);
        const std::array<std::size_t, kCounters> contexts = {
            ((west * 3 + north) * 3 + north_east) * 3 + last,
            ((last * 3 + before) * 3 + west) * 3 + north,
            ((last * 3 + last_east) * 3 + last_south) * 3 + west,
        };

        std::array<Counter*, kCounters> counters{};
        for (std::size_t j = 0; j < kCounters; ++j) {
            counters[j] = &counters_[j][(stage * depth_ + d) * kContexts + contexts[j]];
        }
        std::int32_t* mix = mixer_.data() + (stage * depth_ + d) * kMixed;
        const bool bit = code_mixed(bits, here[d] > 0, regression_, d, counters, mix, kRates);
        here[d] = bit ? 1 : -1;
        regression_.add_code(bit);
    }
}

void BinaryCoder::write_plane(RangeEncoder& encoder) {
    BitWriter bits(encoder);
    grid_.for_each_cell([&](std::size_t cell) { code_position(bits, cell); });
}

void BinaryCoder::read_plane(const RangeDecoder& decoder) {
    BitReader bits(decoder);
    grid_.for_each_cell([&](std::size_t cell) { code_position(bits, cell); });
}

}  // namespace recodec
