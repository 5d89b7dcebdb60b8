#include "palette.hpp"

#include <algorithm>

namespace recodec::lossless {

namespace {

// Green first, like planes.
using Colour = std::array<std::uint16_t, 4>;

Colour colour_at(const std::uint16_t* pixel, std::size_t channels) {
    Colour colour{};
    std::copy_n(pixel, channels, colour.begin());
    if (channels > 2) std::swap(colour[0], colour[1]);
    return colour;
}

}  // namespace

std::optional<Palette> find_palette(std::span<const std::uint16_t> samples, const StripShape& shape) {
    const std::size_t channels = shape.channels;
    if (channels == 1) return std::nullopt;
    std::vector<Colour> colours;
    const auto place_of = [&](const Colour& colour) { return std::ranges::lower_bound(colours, colour); };
    for (std::size_t i = 0; i < samples.size(); i += channels) {
        const Colour colour = colour_at(&samples[i], channels);
        const auto place = place_of(colour);
        if (place != colours.end() && *place == colour) continue;
        if (colours.size() == kMostColours) return std::nullopt;
        colours.insert(place, colour);
    }
    Palette palette;
    for (Colour colour : colours) {
        if (channels > 2) std::swap(colour[0], colour[1]);
        palette.colours.insert(palette.colours.end(), colour.begin(), colour.begin() + static_cast<std::ptrdiff_t>(channels));
    }
    palette.indices.reserve(shape.pixels());
    for (std::size_t i = 0; i < samples.size(); i += channels) {
        palette.indices.push_back(static_cast<std::uint16_t>(place_of(colour_at(&samples[i], channels)) - colours.begin()));
    }
    return palette;
}

}  // namespace recodec::lossless
