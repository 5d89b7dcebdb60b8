// How a plane is coded, and what of that its stream begins with. FORMAT.md, section 14.2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../plane_coder.hpp"
#include "levels.hpp"
#include "settings.hpp"

namespace recodec::lossless {

struct PlaneMode {
    bool drawn = false;  // by what exactly the same surroundings were followed by
    Levels levels;
    int noise = 0;

    // What samples are once levels have taken their place.
    SampleRange range() const { return {levels.most(), levels.most() > 255 ? noise : 0}; }
};

// For samples of 0..most in rows of `width`.
PlaneMode choose_mode(std::span<const std::uint16_t> samples, std::uint32_t width, std::int32_t most, bool drawn);

template <class Bits>
void code_mode(Bits& bits, PlaneMode& mode) {
    mode.drawn = bits.put(mode.drawn, kEven);
    mode.levels.code(bits);
    if (mode.levels.most() <= 255) return;
    int noise = 0;
    for (int bit = kNoiseBits; bit-- > 0;) noise |= bits.put((mode.noise >> bit & 1) != 0, kEven) << bit;
    mode.noise = std::min(noise, kMostNoise);
}

}  // namespace recodec::lossless
