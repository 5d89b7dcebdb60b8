// Latents of autoencoders: whole numbers in planes, each a path of binary decisions whose probabilities begin as a
// model's tables have them for its plane and its neighbours, and learn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../bytes.hpp"
#include "../range_coder.hpp"

namespace recodec::zoo {

// What the context of a latent is found by, a number for each plane.
enum class LatentContext : std::uint8_t {
    none = 0,
    values = 1,      // the sum of the neighbours to the left and above
    magnitudes = 2,  // of four neighbours' magnitudes
};

struct LatentShape {
    std::size_t planes, contexts;
    int bits;        // a path has so many decisions
    bool unbounded;  // the ends of the path's range stand for themselves and all beyond
    int rate;        // probabilities go 2^-rate of the way to what was seen; 0: they stay

    static constexpr int kMostBits = 8, kMostRate = 15;
    static constexpr std::size_t kMostContexts = 256;

    std::int32_t half() const { return std::int32_t{1} << (bits - 1); }
    std::size_t nodes() const { return std::size_t{1} << bits; }
    // Throws Error (format).
    void check() const;
};

// The numbers that there are: those of 16 bits that can be told apart from the end mark of an escape.
inline constexpr std::int32_t kLargestLatent = 32767;

class LatentTables {
public:
    // `kinds`: one for each plane; `limits`: contexts - 1 for each, falling nowhere; `probabilities`: of a one, for each
    // plane and context 2^bits, of which the first is not used. Throws Error (format).
    LatentTables(const LatentShape& shape, std::vector<std::uint8_t> kinds, std::vector<std::int32_t> limits,
                 std::vector<Probability> probabilities);

    const LatentShape& shape() const { return shape_; }
    LatentContext kind(std::size_t plane) const { return static_cast<LatentContext>(kinds_[plane]); }
    std::size_t context(std::size_t plane, std::int32_t measure) const {
        const std::int32_t* limits = limits_.data() + plane * (shape_.contexts - 1);
        std::size_t context = 0;
        while (context + 1 < shape_.contexts && measure >= limits[context]) ++context;
        return context;
    }
    std::span<const Probability> tree(std::size_t plane) const {
        const std::size_t size = shape_.contexts * shape_.nodes();
        return {probabilities_.data() + plane * size, size};
    }

private:
    LatentShape shape_;
    std::vector<std::uint8_t> kinds_;
    std::vector<std::int32_t> limits_;
    std::vector<Probability> probabilities_;
};

struct LatentSize {
    std::size_t height, width;
};

// Latents plane by plane, row by row. Throws Error (format) for one that the tables have no path for.
Bytes encode_latents(const LatentTables& tables, std::span<const std::int16_t> latents, LatentSize size);

// Throws Error (format) for a latent beyond 16 bits.
void decode_latents(const LatentTables& tables, ByteView data, LatentSize size, std::span<std::int16_t> latents);

}  // namespace recodec::zoo
