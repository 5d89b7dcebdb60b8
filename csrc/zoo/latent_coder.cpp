#include "latent_coder.hpp"

#include <algorithm>
#include <cstdlib>

#include "../error.hpp"
#include "../plane_coder.hpp"

namespace recodec::zoo {

namespace {

// An escape's length is told in unary; 16 bits are enough for what a latent may be.
constexpr int kMostEscapeBits = 15;
constexpr Probability kEven = 32768;

// Latents of a plane, coded so far; outside of it all are 0.
struct Neighbours {
    const std::int16_t* plane;
    std::size_t width;

    std::int32_t measure(LatentContext kind, std::size_t y, std::size_t x) const {
        if (kind == LatentContext::none) return 0;
        const std::int16_t* here = plane + y * width + x;
        const std::int32_t west = x > 0 ? here[-1] : 0, north = y > 0 ? *(here - width) : 0;
        // Where there is but one neighbour it counts twice.
        if (kind == LatentContext::values) return x == 0 ? 2 * north : y == 0 ? 2 * west : west + north;
        const std::int32_t north_west = y > 0 && x > 0 ? *(here - width - 1) : 0;
        const std::int32_t north_east = y > 0 && x + 1 < width ? *(here - width + 1) : 0;
        return 2 * std::abs(west) + 2 * std::abs(north) + std::abs(north_west) + std::abs(north_east);
    }
};

// How far beyond an end, by Exp-Golomb's code of even bits. `excess` is looked at by writers alone.
template <class Bits>
std::int32_t code_excess(Bits& coder, std::int32_t excess) {
    const std::int32_t wanted = excess + 1;
    int length = 0;
    while (coder.put((wanted >> length) > 1, kEven)) {
        if (++length > kMostEscapeBits) throw Error(Errc::format, "a latent takes more than 16 bits");
    }
    std::int32_t value = 1;
    for (int i = length; i-- > 0;) value = 2 * value + coder.put((wanted >> i & 1) != 0, kEven);
    return value - 1;
}

template <class Bits>
class PathCoder {
public:
    PathCoder(const LatentShape& shape, std::span<const Probability> start, Bits& coder)
        : shape_(shape), nodes_(start.begin(), start.end()), coder_(&coder) {}

    // `latent` is looked at by writers alone.
    std::int32_t code(std::size_t context, std::int32_t latent) {
        const std::int32_t half = shape_.half();
        const std::int32_t path = std::clamp(latent, -half, half - 1) + half;
        Probability* tree = nodes_.data() + context * shape_.nodes();
        std::size_t node = 1;
        for (int i = shape_.bits; i-- > 0;) {
            Probability& p = tree[node];
            const bool bit = coder_->put((path >> i & 1) != 0, p);
            if (shape_.rate != 0) learn(p, bit);
            node = 2 * node + bit;
        }
        const std::int32_t found = static_cast<std::int32_t>(node - shape_.nodes()) - half;
        if (!shape_.unbounded) return found;
        if (found == -half) return in_range(-half - code_excess(*coder_, -half - latent));
        if (found == half - 1) return in_range(half - 1 + code_excess(*coder_, latent - (half - 1)));
        return found;
    }

private:
    void learn(Probability& p, bool bit) const {
        const std::int32_t to = bit ? 65535 - p : 1 - p;
        p = static_cast<Probability>(p + to / (std::int32_t{1} << shape_.rate));
    }
    static std::int32_t in_range(std::int32_t latent) {
        if (std::abs(latent) <= kLargestLatent) return latent;
        throw Error(Errc::format, "a latent is " + std::to_string(latent) + "; the largest there are is 32767");
    }

    LatentShape shape_;
    std::vector<Probability> nodes_;
    Bits* coder_;
};

// Each latent goes through put(latent), which returns what it is.
template <class Bits, class Put>
void each_latent(const LatentTables& tables, LatentSize size, std::int16_t* latents, Bits& coder, const Put& put) {
    for (std::size_t plane = 0; plane < tables.shape().planes; ++plane) {
        PathCoder<Bits> paths(tables.shape(), tables.tree(plane), coder);
        std::int16_t* here = latents + plane * size.height * size.width;
        const Neighbours neighbours{here, size.width};
        for (std::size_t y = 0; y < size.height; ++y) {
            for (std::size_t x = 0; x < size.width; ++x) {
                const std::int32_t measure = neighbours.measure(tables.kind(plane), y, x);
                put(here[y * size.width + x], paths, tables.context(plane, measure));
            }
        }
    }
}

void require(bool holds, const char* what) {
    if (!holds) throw Error(Errc::format, std::string("tables of latents: ") + what);
}

}  // namespace

void LatentShape::check() const {
    require(bits >= 1 && bits <= kMostBits, "a path must have 1 to 8 bits");
    require(rate >= 0 && rate <= kMostRate, "the rate must lie in 0..15");
    require(contexts >= 1 && contexts <= kMostContexts, "there must be 1 to 256 contexts");
}

LatentTables::LatentTables(const LatentShape& shape, std::vector<std::uint8_t> kinds, std::vector<std::int32_t> limits,
                           std::vector<Probability> probabilities)
    : shape_(shape), kinds_(std::move(kinds)), limits_(std::move(limits)), probabilities_(std::move(probabilities)) {
    shape_.check();
    require(kinds_.size() == shape_.planes, "there must be a kind of context for each plane");
    require(std::ranges::all_of(kinds_, [](std::uint8_t kind) { return kind <= 2; }), "kinds of contexts are 0, 1 and 2");
    const std::size_t steps = shape_.contexts - 1;
    require(limits_.size() == shape_.planes * steps, "there must be a limit less than contexts for each plane");
    for (std::size_t plane = 0; plane < shape_.planes; ++plane) {
        require(std::ranges::is_sorted(std::span(limits_).subspan(plane * steps, steps)), "limits must not fall");
    }
    require(probabilities_.size() == shape_.planes * shape_.contexts * shape_.nodes(),
            "there must be 2^bits probabilities for each plane and context");
    require(std::ranges::find(probabilities_, 0) == probabilities_.end(), "no probability may be 0");
}

Bytes encode_latents(const LatentTables& tables, std::span<const std::int16_t> latents, LatentSize size) {
    const std::int32_t half = tables.shape().half();
    for (const std::int16_t latent : latents) {
        const bool inside = tables.shape().unbounded ? latent >= -kLargestLatent : latent >= -half && latent < half;
        if (!inside) throw Error(Errc::format, "a latent is " + std::to_string(latent) + ", for which there is no path");
    }
    std::vector<std::int16_t> kept(latents.begin(), latents.end());
    RangeEncoder encoder;
    BitWriter writer(encoder);
    each_latent(tables, size, kept.data(), writer,
                [](std::int16_t latent, auto& paths, std::size_t context) { paths.code(context, latent); });
    return std::move(encoder).finish();
}

void decode_latents(const LatentTables& tables, ByteView data, LatentSize size, std::span<std::int16_t> latents) {
    BitReader reader{RangeDecoder(data)};
    each_latent(tables, size, latents.data(), reader, [](std::int16_t& latent, auto& paths, std::size_t context) {
        latent = static_cast<std::int16_t>(paths.code(context, 0));
    });
}

}  // namespace recodec::zoo
