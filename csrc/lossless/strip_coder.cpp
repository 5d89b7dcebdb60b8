#include "strip_coder.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "least_squares.hpp"
#include "palette.hpp"
#include "plane_group.hpp"
#include "samples.hpp"

namespace recodec::lossless {

namespace {

constexpr std::uint8_t kPlanes = 0, kPalette = 1;

// What may suit a strip: samples as they differ from predictions, from exactly the same surroundings, or indices of colours.
enum class Way { differences, drawn, palette };

// About so many pixels are coded to find out.
constexpr std::size_t kTrialPixels = 1 << 16;

StripShape of_colours(const StripShape& shape, std::size_t colours) {
    return {1, static_cast<std::uint32_t>(colours), shape.channels, shape.depth};
}
StripShape of_indices(const StripShape& shape) { return {shape.height, shape.width, 1, 8}; }

// Whether so many pixels are equal to their neighbours that exact surroundings may say more than differences.
bool repeats(std::span<const std::uint16_t> samples, const StripShape& shape) {
    const std::size_t row = std::size_t{shape.width} * shape.channels;
    std::size_t equal = 0;
    for (std::size_t i = 0; i < samples.size(); i += shape.channels) {
        const auto same = [&](std::size_t back) {
            return i >= back && std::equal(&samples[i], &samples[i] + shape.channels, &samples[i - back]);
        };
        equal += same(shape.channels) || same(row);
    }
    return 10 * equal > 4 * shape.pixels();
}

Bytes with_palette(const Palette& palette, const StripShape& shape, Effort effort) {
    const std::size_t colours = palette.colours.size() / shape.channels;
    const Bytes listed = encode_planes(palette.colours, of_colours(shape, colours), shape.most(), effort, false, 1);
    Bytes data = {kPalette};
    put_varint(data, static_cast<std::uint32_t>(colours - 1));
    put_varint(data, static_cast<std::uint32_t>(listed.size()));
    data.insert(data.end(), listed.begin(), listed.end());
    const auto most = static_cast<std::int32_t>(colours) - 1;
    const Bytes indices = encode_planes(palette.indices, of_indices(shape), most, effort, true, 1);
    data.insert(data.end(), indices.begin(), indices.end());
    return data;
}

Bytes encode_by(Way way, std::span<const std::uint16_t> samples, const StripShape& shape, Effort effort,
                std::size_t threads) {
    if (way == Way::palette) return with_palette(find_palette(samples, shape).value(), shape, effort);
    Bytes data = {kPlanes};
    const Bytes coded = encode_planes(samples, shape, shape.most(), effort, way == Way::drawn, threads);
    data.insert(data.end(), coded.begin(), coded.end());
    return data;
}

void read_palette(ByteReader reader, ByteView data, const StripShape& shape, Effort effort,
                  std::span<std::uint16_t> samples) {
    const auto last = reader.varint(), size = last ? reader.varint() : std::nullopt;
    if (!size || *size > reader.left()) throw Error(Errc::format, "a strip ends before its palette does");
    if (*last >= kMostColours) {
        throw Error(Errc::format, "the palette of a strip claims " + std::to_string(std::uint64_t{*last} + 1) +
                                      " colours; it has 256 at most");
    }
    const std::size_t colours = *last + 1;
    std::vector<std::uint16_t> palette(colours * shape.channels), indices(shape.pixels());
    decode_planes(data.subspan(reader.position(), *size), of_colours(shape, colours), shape.most(), effort, palette, 1);
    decode_planes(data.subspan(reader.position() + *size), of_indices(shape), static_cast<std::int32_t>(*last), effort,
                  indices, 1);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        std::copy_n(&palette[indices[i] * shape.channels], shape.channels, &samples[i * shape.channels]);
    }
}

}  // namespace

Bytes encode_strip(std::span<const std::uint16_t> samples, const StripShape& shape, Effort effort, std::size_t threads) {
    // Colours say nothing of gradients, nor of a photograph that is so small that it has few.
    std::vector<Way> ways = {Way::differences};
    if (find_palette(samples, shape)) {
        ways.push_back(Way::palette);
    } else if (repeats(samples, shape)) {
        ways.push_back(Way::drawn);
    }
    // Some rows of a large strip tell as well which way is the shortest, in a fraction of the time.
    const auto rows = static_cast<std::uint32_t>(kTrialPixels / shape.width + 1);
    if (ways.size() > 1 && rows < shape.height) {
        const StripShape part = {rows, shape.width, shape.channels, shape.depth};
        const std::size_t row = std::size_t{shape.width} * shape.channels;
        const auto band = samples.subspan((shape.height - rows) / 2 * row, part.samples());
        const auto size = [&](Way way) { return encode_by(way, band, part, effort, threads).size(); };
        ways = {size(ways[1]) < size(ways[0]) ? ways[1] : ways[0]};
    }
    Bytes found = encode_by(ways[0], samples, shape, effort, threads);
    if (ways.size() > 1) {
        Bytes other = encode_by(ways[1], samples, shape, effort, threads);
        if (other.size() < found.size()) found = std::move(other);
    }
    return found;
}

void decode_strip(ByteView data, const StripShape& shape, Effort effort, std::span<std::uint16_t> samples,
                  std::size_t threads) {
    ByteReader reader(data);
    // Bytes beyond the end are zeros, as for the coder of bits.
    const std::uint8_t kind = reader.byte().value_or(kPlanes);
    switch (kind) {
        case kPlanes: return decode_planes(data.subspan(reader.position()), shape, shape.most(), effort, samples, threads);
        case kPalette: return read_palette(reader, data, shape, effort, samples);
    }
    throw Error(Errc::format, "a strip is of kind " + std::to_string(kind) + "; this version knows 0 and 1");
}

std::uint64_t strip_memory(const StripShape& shape, Effort effort) {
    constexpr std::uint64_t border = 2 * SamplePlane::kBorder, products = 2 * kPlaces * kPlaces * sizeof(std::int32_t);
    // Tables of drawn pictures, for each plane, and of what decisions learn.
    constexpr std::uint64_t drawn = 6 * (std::uint64_t{4} << 20), fixed = 4 << 20;
    const std::uint64_t windows = effort == Effort::best ? BestSetting::kWindows.size() : 1;
    const std::uint64_t slots = std::min<std::uint64_t>(shape.width / kGroup + 1, LeastSquares::kMostSlots);
    const std::uint64_t samples = (shape.height + border) * (shape.width + border) * 4 + 2 * shape.pixels();
    return 4 * shape.samples() + shape.channels * (samples + windows * slots * products + drawn + fixed);
}

}  // namespace recodec::lossless
