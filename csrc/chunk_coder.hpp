// Planes of one picture to the payloads of its code chunks and back: the coder that a header names, and the rule for
// checksums. FORMAT.md, section 4.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <variant>
#include <vector>

#include "embedded_tables.hpp"
#include "entropy_tables.hpp"
#include "plane_coder.hpp"
#include "plane_header.hpp"

namespace recodec {

// What a coder takes from a model: adaptive contexts nothing, those of embedded planes their order, networks tables.
using ModelPart = std::variant<std::monostate, std::shared_ptr<const EmbeddedOrder>, std::shared_ptr<const EntropyTables>,
                               std::shared_ptr<const EmbeddedTables>>;

// Throws Error for a coder that this version does not know, and where the part is not what it needs.
std::unique_ptr<PlaneCoder> make_plane_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height,
                                             std::uint32_t width, ModelPart part = {});

// About the bytes that such a coder takes while so many planes are decoded at once, without what it fills. Throws Error
// like make_plane_coder(), and where that cannot be told in 64 bits.
std::uint64_t coder_bytes(EntropyCoder coder, std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                          const ModelPart& part, std::size_t threads);

// What a chunk's checksum is before its codes: that of the chunk type and the coded bytes.
std::uint32_t checksum_of_coded(ByteView coded);

// Calls from several threads wait for each other.
class ChunkCoder {
public:
    // Throws Error like make_plane_coder().
    ChunkCoder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height, std::uint32_t width, ModelPart part);

    // Codes of the next plane, or of one so many planes later. Throws Error (format) where there is none.
    std::size_t plane_size(std::size_t later = 0) const { return coder_->plane_size(later); }

    // The payload of the next plane's chunk. Throws Error for codes that the coder cannot code.
    Bytes encode(std::span<const std::int8_t> codes);

    // What any coded bytes stand for, and the checksums that they would have: for those who mend files.
    std::vector<std::uint32_t> decode_any(std::span<const ByteView> coded,
                                          std::span<const std::span<std::int8_t>> planes, std::size_t threads);

    // The planes of the payloads that come next, depth x height x width each. Throws Error (checksum) with the number
    // of the first damaged chunk, counted from 1.
    void decode(std::span<const ByteView> payloads, std::span<const std::span<std::int8_t>> planes,
                std::size_t threads);

private:
    // The work of both, once the lock is taken.
    std::vector<std::uint32_t> decode_next(std::span<const ByteView> coded,
                                           std::span<const std::span<std::int8_t>> planes, std::size_t threads);

    std::unique_ptr<PlaneCoder> coder_;
    std::size_t decoded_ = 0;
    std::mutex mutex_;
};

}  // namespace recodec
