// Small pictures of the kinds that the lossless coder tells apart, the same on every machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lossless/strip_coder.hpp"
#include "mutate.hpp"

namespace recodec {

// Drawn ones repeat themselves in more colours than a palette has.
enum class Look : std::uint8_t { photograph, drawn, palette };
inline constexpr Look kLooks[] = {Look::photograph, Look::drawn, Look::palette};

using PictureSamples = std::vector<std::uint16_t>;

// Slopes with noise that channels have in common, but for alpha.
inline PictureSamples photograph(const lossless::StripShape& shape, Random& random) {
    PictureSamples samples(shape.samples());
    const std::size_t row = shape.width * shape.channels;
    const auto wide = static_cast<std::size_t>(shape.most() / 24 + 1), narrow = wide / 6 + 1;
    const auto noise = [&](std::size_t range) {
        return static_cast<std::int32_t>(random.below(2 * range + 1)) - static_cast<std::int32_t>(range);
    };
    for (std::size_t i = 0; i < samples.size(); i += shape.channels) {
        const std::int32_t shared = noise(wide);
        for (std::size_t c = 0; c < shape.channels; ++c) {
            const std::size_t at = i + c;
            const std::int32_t left = at % row >= shape.channels ? samples[at - shape.channels] : shape.most() / 3;
            const std::int32_t above = at >= row ? samples[at - row] : left;
            samples[at] = static_cast<std::uint16_t>(
                std::clamp((left + above + 1) / 2 + shared + noise(narrow), 0, shape.most()));
        }
    }
    return samples;
}

// Pixels that are those to the left or above more often than not, and otherwise one of so many colours.
inline PictureSamples repeated(const lossless::StripShape& shape, std::size_t colours, Random& random) {
    PictureSamples list(colours * shape.channels), samples;
    for (auto& value : list) value = static_cast<std::uint16_t>(random.below(static_cast<std::size_t>(shape.most()) + 1));
    const std::size_t row = shape.width * shape.channels;
    for (std::size_t i = 0; i < shape.samples(); i += shape.channels) {
        const std::size_t choice = random.below(8);
        const std::size_t back = choice < 3 ? shape.channels : choice < 5 ? row : i + 1;
        const auto* from = i >= back ? &samples[i - back] : &list[random.below(colours) * shape.channels];
        // A copy, since the vector may move.
        const std::vector<std::uint16_t> pixel(from, from + shape.channels);
        samples.insert(samples.end(), pixel.begin(), pixel.end());
    }
    return samples;
}

inline PictureSamples draw_picture(const lossless::StripShape& shape, Look look, std::uint64_t seed) {
    Random random(seed);
    switch (look) {
        case Look::photograph: return photograph(shape, random);
        case Look::drawn: return repeated(shape, 4096, random);
        case Look::palette: return repeated(shape, 9, random);
    }
    return {};
}

}  // namespace recodec
