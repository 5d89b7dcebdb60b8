#include "plane_mode.hpp"

#include <bit>
#include <cstdlib>

#include "measures.hpp"

namespace recodec::lossless {

namespace {

// Noise of a picture that is as smooth as photographs of 8 bits are.
constexpr std::uint64_t kPlainDifference = 8;

int noise_of(std::span<const std::uint16_t> samples, std::uint32_t width, const Levels& levels) {
    std::uint64_t sum = 0, count = 1;
    for (std::size_t i = 1; i < samples.size(); ++i) {
        if (i % width == 0) continue;
        sum += static_cast<std::uint64_t>(std::abs(levels.rank(samples[i]) - levels.rank(samples[i - 1])));
        ++count;
    }
    return std::min(static_cast<int>(std::bit_width(sum / count / kPlainDifference)), kMostNoise);
}

// Levels where they save much more than they cost: both in eighths of a bit, about.
Levels levels_of(std::span<const std::uint16_t> samples, std::int32_t most) {
    const auto count = static_cast<std::size_t>(most) + 1;
    std::vector<std::uint64_t> histogram(count), before(count + 1);
    for (const std::uint16_t sample : samples) ++histogram[sample];
    for (std::size_t v = 0; v < count; ++v) before[v + 1] = before[v] + (histogram[v] > 0);
    if (before[count] == count) return Levels(most);
    constexpr std::size_t reach = 16;
    std::uint64_t saved = 0;
    std::vector<std::uint16_t> values;
    for (std::size_t v = 0; v < count; ++v) {
        if (histogram[v] == 0) continue;
        values.push_back(static_cast<std::uint16_t>(v));
        const std::size_t low = v < reach ? 0 : v - reach, high = std::min(v + reach + 1, count);
        const auto ratio = static_cast<std::uint32_t>(256 * (high - low) / (before[high] - before[low]));
        saved += histogram[v] * (eighths(ratio) - 64);
    }
    Levels levels(most, std::move(values));
    RangeEncoder encoder;
    BitWriter bits(encoder);
    levels.code(bits);
    const std::uint64_t cost = 64 * std::move(encoder).finish().size();
    return saved > 4 * cost ? levels : Levels(most);
}

}  // namespace

PlaneMode choose_mode(std::span<const std::uint16_t> samples, std::uint32_t width, std::int32_t most, bool drawn) {
    PlaneMode mode;
    mode.drawn = drawn;
    mode.levels = levels_of(samples, most);
    if (mode.levels.most() > 255) mode.noise = noise_of(samples, width, mode.levels);
    return mode;
}

}  // namespace recodec::lossless
