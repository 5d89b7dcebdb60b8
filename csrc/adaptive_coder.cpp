#include "adaptive_coder.hpp"

#include <algorithm>
#include <string>

#include "crc32c.hpp"
#include "error.hpp"
#include "logistic.hpp"
#include "range_coder.hpp"

namespace recodec {

namespace {

// Neighbour whose codes feed the regression: planes back, rows down, columns right.
struct Neighbour {
    std::size_t age;
    std::ptrdiff_t dy, dx;
};

constexpr std::array<Neighbour, AdaptiveCoder::kNeighbourCount> kNeighbours = {{
    {0, 0, -1}, {0, -1, 0}, {0, -1, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {2, 0, 0},
}};

constexpr std::size_t kContexts = 81;  // four ternary codes

// Iterations with a set of their own for counters and mixer; later ones share the last.
constexpr std::uint32_t kStages = 3;

constexpr std::int32_t kRegressionRate = 655;   // Q16
constexpr std::int32_t kMixerRate = 655;        // Q16
constexpr std::int32_t kWeightLimit = 1 << 20;  // Q16, so 16.0
constexpr std::int32_t kRegressionShare = 32768, kCounterShare = 13107;  // initial mixer weights, Q16
constexpr std::int32_t kConstantInput = 1229;                           // Q12, 0.3

// Counters adapt with 1 / (n + 1.6), at least 1 / 64.
constexpr std::uint16_t kCountLimit = 62;

constexpr auto kCounterRate = [] {
    std::array<std::int32_t, kCountLimit + 1> rates{};
    for (std::int32_t count = 0; count <= kCountLimit; ++count) {
        rates[static_cast<std::size_t>(count)] = 655360 / (10 * count + 16);
    }
    return rates;
}();

constexpr std::int32_t kLeastProbability = 32;

std::int32_t round_shift(std::int64_t value, int shift) {
    return static_cast<std::int32_t>((value + (std::int64_t{1} << (shift - 1))) >> shift);
}

class BitWriter {
public:
    BitWriter(Bytes& out, const std::vector<std::int8_t>& plane) : encoder_(out), plane_(plane) {}

    bool code(std::size_t index, Probability p) { return put(plane_[index] > 0, p); }
    bool sent(std::size_t index, Probability p) { return put(plane_[index] != 0, p); }
    void finish() { encoder_.finish(); }

private:
    bool put(bool bit, Probability p) {
        encoder_.encode(bit, p);
        return bit;
    }

    RangeEncoder encoder_;
    const std::vector<std::int8_t>& plane_;
};

class BitReader {
public:
    BitReader(ByteView data, std::vector<std::int8_t>& plane) : decoder_(data), plane_(plane) {}

    bool code(std::size_t index, Probability p) {
        const bool bit = decoder_.decode(p);
        plane_[index] = bit ? 1 : -1;
        return bit;
    }
    bool sent(std::size_t, Probability p) { return decoder_.decode(p); }
    void finish() {}

private:
    RangeDecoder decoder_;
    std::vector<std::int8_t>& plane_;
};

}  // namespace

AdaptiveCoder::AdaptiveCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                             std::uint8_t version)
    : depth_(depth),
      height_(height),
      width_(width),
      version_(version),
      row_(std::size_t{width} + 4),
      regression_(depth, kNeighbours.size(), kWeightLimit) {
    const std::size_t cells = (std::size_t{height} + 4) * row_;
    for (auto& plane : planes_) plane.assign(cells * depth, 0);
    for (auto& counters : counters_) counters.assign(kStages * depth * kContexts, Counter{});
    mixer_.resize(kStages * depth * kMixed);
    for (std::size_t i = 0; i < mixer_.size(); i += kMixed) {
        mixer_[i] = kRegressionShare;
        std::fill_n(mixer_.begin() + static_cast<std::ptrdiff_t>(i) + 1, kCounters, kCounterShare);
        mixer_[i + kMixed - 1] = 0;
    }
}

AdaptiveCoder::Neighbourhood AdaptiveCoder::gather(std::size_t cell) {
    Neighbourhood codes{};
    regression_.begin_position();
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const auto [age, dy, dx] = kNeighbours[i];
        const auto at = static_cast<std::ptrdiff_t>(cell) + dy * static_cast<std::ptrdiff_t>(row_) + dx;
        codes[i] = planes_[age].data() + static_cast<std::size_t>(at) * depth_;
        regression_.add_neighbour(i, codes[i]);
    }
    regression_.begin_codes();
    return codes;
}

void AdaptiveCoder::Counter::learn(bool bit) {
    const std::int32_t now = probability;
    const std::int32_t next = now + (((bit ? 65536 : 0) - now) * kCounterRate[count] >> 16);
    probability = static_cast<std::uint16_t>(std::clamp(next, kLeastProbability, 65535 - kLeastProbability));
    if (count < kCountLimit) ++count;
}

template <class Bits>
bool AdaptiveCoder::code_sent(Bits& bits, std::size_t cell) {
    std::size_t context = 0;
    for (std::size_t i = 0; i < kNeighbours.size(); ++i) {
        const auto [age, dy, dx] = kNeighbours[i];
        const auto at = static_cast<std::ptrdiff_t>(cell) + dy * static_cast<std::ptrdiff_t>(row_) + dx;
        // All codes of a position are sent or none, so the first one tells.
        context |= std::size_t{planes_[age][static_cast<std::size_t>(at) * depth_] != 0} << i;
    }
    Counter& counter = sent_counters_[context];
    const bool sent = bits.sent(cell * depth_, counter.probability);
    counter.learn(sent);
    return sent;
}

template <class Bits>
void AdaptiveCoder::code_position(Bits& bits, std::size_t cell) {
    const Neighbourhood codes = gather(cell);
    const std::size_t stage = std::min(iteration_, kStages - 1);

    for (std::uint32_t d = 0; d < depth_; ++d) {
        const auto trit = [&](std::size_t neighbour) { return static_cast<std::size_t>(codes[neighbour][d] + 1); };
        const std::size_t west = trit(0), north = trit(1), north_east = trit(2);
        const std::size_t last = trit(3), last_east = trit(4), last_south = trit(5), before = trit(6);
        const std::array<std::size_t, kCounters> contexts = {
            ((west * 3 + north) * 3 + north_east) * 3 + last,
            ((last * 3 + before) * 3 + west) * 3 + north,
            ((last * 3 + last_east) * 3 + last_south) * 3 + west,
        };

        std::array<std::int32_t, kMixed> predictions{};
        predictions[0] = std::clamp(regression_.sum(d) >> 4, -kLogitLimit, kLogitLimit);
        std::array<Counter*, kCounters> counters{};
        for (std::size_t j = 0; j < kCounters; ++j) {
            counters[j] = &counters_[j][(stage * depth_ + d) * kContexts + contexts[j]];
            predictions[j + 1] = logit(counters[j]->probability);
        }
        predictions[kMixed - 1] = kConstantInput;

        std::int32_t* mix = mixer_.data() + (stage * depth_ + d) * kMixed;
        std::int64_t mixed = 0;
        for (std::size_t j = 0; j < kMixed; ++j) mixed += std::int64_t{mix[j]} * predictions[j];
        mixed = std::clamp<std::int64_t>(mixed >> 16, -kLogitLimit, kLogitLimit);
        const std::int32_t p = std::clamp(logistic(static_cast<std::int32_t>(mixed)), kLeastProbability,
                                          65536 - kLeastProbability);

        const bool bit = bits.code(cell * depth_ + d, static_cast<Probability>(p));
        const std::int32_t truth = bit ? 65536 : 0;

        const std::int32_t step =
            round_shift(std::int64_t{truth - logistic(predictions[0])} * kRegressionRate, 16);
        regression_.learn(d, step);
        regression_.add_code(bit);
        const std::int64_t error = truth - p;
        for (std::size_t j = 0; j < kMixed; ++j) {
            const std::int64_t gradient = error * predictions[j] >> 12;
            mix[j] = std::clamp(mix[j] + round_shift(gradient * kMixerRate, 16), -kWeightLimit, kWeightLimit);
        }
        for (Counter* counter : counters) counter->learn(bit);
    }
}

void AdaptiveCoder::begin_plane() {
    if (iteration_ == 0) return;
    std::rotate(planes_.begin(), planes_.end() - 1, planes_.end());
    std::fill(planes_[0].begin(), planes_[0].end(), std::int8_t{0});
}

template <class Bits>
void AdaptiveCoder::run(Bits& bits) {
    const bool all = all_sent();
    for (std::uint32_t y = 0; y < height_; ++y) {
        for (std::uint32_t x = 0; x < width_; ++x) {
            const std::size_t cell = cell_of(y, x);
            if (all || code_sent(bits, cell)) code_position(bits, cell);
        }
    }
    bits.finish();
    ++iteration_;
}

Bytes AdaptiveCoder::encode(std::span<const std::int8_t> codes) {
    for (std::size_t position = 0; position < positions(); ++position) {
        const bool sent = all_sent() || codes[position] != 0;
        for (std::uint32_t d = 0; d < depth_; ++d) {
            const std::int8_t code = codes[d * positions() + position];
            if (sent ? code != 1 && code != -1 : code != 0) {
                throw Error(Errc::format, "code " + std::to_string(code) + " at channel " + std::to_string(d) +
                                              ", position " + std::to_string(position) +
                                              (sent ? "; codes sent are -1 or +1" : "; codes not sent are 0"));
            }
        }
    }
    begin_plane();
    for (std::uint32_t y = 0; y < height_; ++y) {
        for (std::uint32_t x = 0; x < width_; ++x) {
            std::int8_t* to = planes_[0].data() + cell_of(y, x) * depth_;
            const std::size_t position = std::size_t{y} * width_ + x;
            for (std::uint32_t d = 0; d < depth_; ++d) to[d] = codes[d * positions() + position];
        }
    }
    Bytes out;
    BitWriter writer(out, planes_[0]);
    run(writer);
    return out;
}

void AdaptiveCoder::decode(ByteView data, std::span<std::int8_t> codes) {
    begin_plane();
    BitReader reader(data, planes_[0]);
    run(reader);
    for (std::uint32_t y = 0; y < height_; ++y) {
        for (std::uint32_t x = 0; x < width_; ++x) {
            const std::int8_t* from = planes_[0].data() + cell_of(y, x) * depth_;
            const std::size_t position = std::size_t{y} * width_ + x;
            for (std::uint32_t d = 0; d < depth_; ++d) codes[d * positions() + position] = from[d];
        }
    }
}

std::uint32_t AdaptiveCoder::checksum(std::uint32_t crc) const {
    for (std::uint32_t y = 0; y < height_; ++y) {
        const auto* row = reinterpret_cast<const std::uint8_t*>(planes_[0].data() + cell_of(y, 0) * depth_);
        crc = crc32c(ByteView(row, std::size_t{width_} * depth_), crc);
    }
    return crc;
}

}  // namespace recodec
