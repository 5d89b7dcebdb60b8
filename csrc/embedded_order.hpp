// Which plane of which latent each chunk holds, and in which order. FORMAT.md, section 11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace recodec {

class EmbeddedOrder {
public:
    static constexpr std::size_t kGroup = 16, kMostChannels = 256, kMostPlanes = 15, kMostChunks = 255;

    // Plane `plane` of latent `channel`: bit `plane` of its magnitude.
    struct Code {
        std::uint16_t channel;
        std::uint8_t plane;
    };

    // The codes of a position, the first of which is `first` among those of all chunks; those of a group, which ends
    // before `ends[g]`, are of different latents.
    struct Chunk {
        std::vector<Code> codes;
        std::vector<std::size_t> ends;
        std::size_t first = 0;
        // Of each channel, half of the magnitudes that an index which is not 0 leaves open before and after the chunk.
        std::vector<std::int32_t> half_before, half_after;
    };

    // `chunk_of` is channels x planes; `chunks` stands for a plane that is never sent. Throws Error (format) for planes
    // that are not in order from the top.
    EmbeddedOrder(std::span<const std::int32_t> chunk_of, std::size_t channels, std::size_t planes, std::size_t chunks);

    std::size_t channels() const { return channels_; }
    std::size_t count() const { return chunks_.size(); }
    std::size_t codes() const { return chunks_.empty() ? 0 : chunks_.back().first + chunks_.back().codes.size(); }
    // Of the chunk that has most.
    std::size_t most_codes() const { return most_codes_; }
    // Throws Error (format) beyond the last.
    const Chunk& chunk(std::size_t number) const;

private:
    std::size_t channels_, most_codes_ = 0;
    std::vector<Chunk> chunks_;
};

}  // namespace recodec
