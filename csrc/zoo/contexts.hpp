// What of 16 contexts a symbol of a plane has, by its neighbours that were coded before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace recodec::zoo {

// Signed numbers of 8 bits as symbols: 0, -1, 1, -2, 2, ...
constexpr std::uint8_t folded(std::int32_t value) {
    const auto small = static_cast<std::int8_t>(value);
    return static_cast<std::uint8_t>(small < 0 ? -2 * small - 1 : 2 * small);
}
constexpr std::int32_t unfolded(std::uint8_t symbol) {
    return symbol % 2 != 0 ? -(symbol + 1) / 2 : symbol / 2;
}

enum class Context : std::uint8_t {
    magnitudes = 0,  // of folded numbers to the left and above
    bits = 1,        // themselves, and that of the plane before
};

namespace detail {

// Sums below which a context ends; the sum of six magnitudes is below 769.
inline constexpr std::array<std::uint16_t, 15> kSumLimits = {1,  4,  7,  11, 16, 22, 29,
                                                             38, 49, 63, 82, 108, 148, 220, 350};

inline constexpr auto kContextOfSum = [] {
    std::array<std::uint8_t, 769> contexts{};
    std::uint8_t context = 0;
    for (std::size_t sum = 0; sum < contexts.size(); ++sum) {
        while (context < kSumLimits.size() && sum >= kSumLimits[context]) ++context;
        contexts[sum] = context;
    }
    return contexts;
}();

}  // namespace detail

// Planes of symbols, one behind the other; outside of a plane all symbols are 0.
struct SymbolPlanes {
    const std::uint8_t* symbols;
    std::size_t height, width;

    std::size_t context(Context kind, std::size_t plane, std::size_t y, std::size_t x) const {
        const std::uint8_t* here = symbols + (plane * height + y) * width + x;
        const unsigned west = x > 0 ? here[-1] : 0u;
        const unsigned north = y > 0 ? *(here - width) : 0u;
        const unsigned north_west = y > 0 && x > 0 ? *(here - width - 1) : 0u;
        if (kind == Context::bits) {
            const unsigned before = plane > 0 ? *(here - height * width) : 0u;
            return (before & 1) << 3 | (north & 1) << 2 | (west & 1) << 1 | (north_west & 1);
        }
        const unsigned north_east = y > 0 && x + 1 < width ? *(here - width + 1) : 0u;
        const auto size = [](unsigned symbol) { return (symbol + 1) / 2; };
        return detail::kContextOfSum[2 * size(west) + 2 * size(north) + size(north_west) + size(north_east)];
    }
};

}  // namespace recodec::zoo
