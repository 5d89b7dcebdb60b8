#include "embedded_order.hpp"

#include <algorithm>
#include <string>

#include "error.hpp"

namespace recodec {

namespace {

void require_range(const char* what, std::size_t value, std::size_t most) {
    if (value < 1 || value > most) {
        throw Error(Errc::format, std::string(what) + " of embedded planes are " + std::to_string(value) +
                                      "; they must lie in 1.." + std::to_string(most));
    }
}

}  // namespace

EmbeddedOrder::EmbeddedOrder(std::span<const std::int32_t> chunk_of, std::size_t channels, std::size_t planes,
                             std::size_t chunks)
    : channels_(channels), chunks_(chunks) {
    require_range("channels", channels, kMostChannels);
    require_range("planes", planes, kMostPlanes);
    require_range("chunks", chunks, kMostChunks);
    if (chunk_of.size() != channels * planes) throw Error(Errc::format, "the order of embedded planes has a wrong size");
    // The codes of each chunk, by how many planes of their latent the chunk holds before them.
    std::vector<std::vector<std::vector<Code>>> turns(chunks);
    const auto never = static_cast<std::int32_t>(chunks);
    for (std::size_t channel = 0; channel < channels; ++channel) {
        std::int32_t former = -1;
        std::size_t turn = 0;
        for (std::size_t plane = planes; plane-- > 0;) {
            const std::int32_t chunk = chunk_of[channel * planes + plane];
            if (chunk == never && former == -1) continue;  // above the top
            if (chunk < 0 || chunk > never || chunk < former) {
                throw Error(Errc::format,
                            "the planes of channel " + std::to_string(channel) + " are not in order from the top");
            }
            turn = chunk == former ? turn + 1 : 0;
            former = chunk;
            if (chunk == never) continue;
            auto& there = turns[static_cast<std::size_t>(chunk)];
            if (there.size() <= turn) there.resize(turn + 1);
            there[turn].push_back({static_cast<std::uint16_t>(channel), static_cast<std::uint8_t>(plane)});
        }
    }
    std::size_t first = 0;
    std::vector<std::int32_t> half(channels);
    for (std::size_t number = 0; number < chunks; ++number) {
        Chunk& chunk = chunks_[number];
        chunk.first = first;
        for (const std::vector<Code>& turn : turns[number]) {
            for (std::size_t at = 0; at < turn.size(); at += kGroup) {
                const std::size_t size = std::min(kGroup, turn.size() - at);
                for (std::size_t i = at; i < at + size; ++i) chunk.codes.push_back(turn[i]);
                chunk.ends.push_back(chunk.codes.size());
            }
        }
        chunk.half_before = half;
        for (const Code& code : chunk.codes) half[code.channel] = (1 << code.plane) >> 1;
        chunk.half_after = half;
        first += chunk.codes.size();
        most_codes_ = std::max(most_codes_, chunk.codes.size());
    }
}

const EmbeddedOrder::Chunk& EmbeddedOrder::chunk(std::size_t number) const {
    if (number >= chunks_.size()) {
        throw Error(Errc::format, "code chunk " + std::to_string(number + 1) + " is one more than the model's " +
                                      std::to_string(chunks_.size()));
    }
    return chunks_[number];
}

}  // namespace recodec
