#include "decode_file.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "chunk_coder.hpp"
#include "crc32c.hpp"
#include "error.hpp"
#include "plane_limits.hpp"
#include "png_alpha.hpp"
#include "stand_in.hpp"

namespace recodec {

namespace {

constexpr std::size_t kMaxIterations = 255;

bool is(const Chunk& chunk, ChunkType type) { return chunk.type == static_cast<std::uint8_t>(type); }

// The payload after its checksum, and that checksum.
struct Protected {
    ByteView content;
    std::uint32_t crc;
};

Protected open(ByteView payload) {
    if (payload.size() < kChecksumBytes) throw Error(Errc::format, "a chunk is too short for its checksum");
    return {payload.subspan(kChecksumBytes), get_u32(payload)};
}

void require_crc(std::uint32_t stored, std::uint32_t computed) {
    if (stored != computed) throw Error(Errc::checksum, "the checksum of a chunk does not match");
}

Bytes end_payload(std::size_t iterations) {
    if (iterations < 0x80) return {static_cast<std::uint8_t>(iterations)};
    return {static_cast<std::uint8_t>((iterations & 0x7F) | 0x80), static_cast<std::uint8_t>(iterations >> 7)};
}

// Inflating is not the core's, so the rows that are unfiltered here are not those of the picture.
void read_alpha(ByteView png, const Header& header) {
    Bytes scanlines = png_data(png, header.width, header.height);
    const std::size_t width = header.width, height = header.height;
    scanlines.resize((width + 1) * height);
    for (std::size_t y = 0; y < height; ++y) scanlines[y * (width + 1)] %= 5;
    Bytes alpha(width * height);
    unfilter(scanlines, width, alpha);
}

}  // namespace

Budget::Budget(const Header& header, const PlaneHeader& planes, const Limits& limits) 
    : planes_(planes), cost_(0), left_(limits.cost) {
    const std::uint64_t positions = std::uint64_t{planes.positions(header.height)} * planes.positions(header.width);
    // Factors are limited one by one, since the product of all may pass 64 bits.
    if (positions > limits.pixels || positions * planes.stride * planes.stride > limits.pixels) {
        throw Error(Errc::limit, "the picture exceeds the pixel limit");
    }
    check_tiles(header, planes);
    check_codes(planes, 1);
    cost_ = positions * planes.depth * planes.depth;
    if (cost_ > left_) throw Error(Errc::limit, "a plane takes too long to decode");
}

void Budget::spend() {
    check_codes(planes_, ++count_);
    if (cost_ > left_) throw Error(Errc::limit, "the code chunks take too long to decode");
    left_ -= cost_;
}

void decode_file(ByteView data, const Limits& limits, const PlaneSink& sink) {
    std::size_t at = 0;
    const Header header = read_header(data, at);
    const PlaneHeader fields = read_plane_header(header);
    Budget budget(header, fields, limits);
    const auto coder = stand_in_coder(header, fields);
    std::vector<std::int8_t> codes;
    std::size_t iterations = 0;
    bool has_alpha = false;
    while (const std::optional<Chunk> chunk = read_chunk(data, at)) {
        const ByteView payload = data.subspan(chunk->payload, chunk->size);
        const std::uint32_t type_crc = crc32c(ByteView(&chunk->type, 1));
        if (is(*chunk, ChunkType::end)) {
            const Bytes expected = end_payload(iterations);
            if (!std::ranges::equal(payload, expected)) throw Error(Errc::format, "the end mark disagrees");
            break;
        }
        if (is(*chunk, ChunkType::codes)) {
            if (++iterations > kMaxIterations) throw Error(Errc::format, "too many code chunks");
            budget.spend();
            if (header.alpha != 0 && !has_alpha) throw Error(Errc::format, "the alpha channel is missing");
            const auto [content, crc] = open(payload);
            codes.resize(coder->plane_size());
            CodedPlane plane = {content, codes, checksum_of_coded(content)};
            coder->decode(plane);
            require_crc(crc, plane.checksum);
            if (sink) sink(header, fields, codes);
        } else if (is(*chunk, ChunkType::alpha) && header.alpha != 0) {
            const auto [content, crc] = open(payload);
            require_crc(crc, crc32c(content, type_crc));
            if (has_alpha) throw Error(Errc::format, "there is a second alpha channel");
            read_alpha(content, header);
            has_alpha = true;
        } else if (is(*chunk, ChunkType::icc) || is(*chunk, ChunkType::exif) || is(*chunk, ChunkType::xmp)) {
            const auto [content, crc] = open(payload);
            require_crc(crc, crc32c(content, type_crc));
        }
        at = chunk->next;
    }
    if (iterations == 0) throw Error(Errc::truncated, "there is no whole code chunk");
}

bool decodes(ByteView data, const Limits& limits, const PlaneSink& sink) {
    try {
        decode_file(data, limits, sink);
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace recodec
