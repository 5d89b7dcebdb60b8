// Decodes files down to codes, as a reader must by FORMAT.md, without Python and without a model.
//
//     corpus_runner PATH...     files, or directories that hold .rcd files at any depth
//
// A file either decodes or is rejected with a recodec::Error; anything else that escapes, and whatever
// the sanitizers find, fails the run. With RECODEC_FUZZ defined, this is a libFuzzer target instead.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "adaptive_coder.hpp"
#include "container.hpp"
#include "crc32c.hpp"
#include "error.hpp"

namespace {

using namespace recodec;

constexpr std::uint64_t kMaxPixels = 1u << 20;
constexpr std::size_t kMaxIterations = 255;
constexpr std::size_t kCrcBytes = 4;

bool is(const Chunk& chunk, ChunkType type) { return chunk.type == static_cast<std::uint8_t>(type); }

// The payload after its checksum, and that checksum.
struct Protected {
    ByteView content;
    std::uint32_t crc;
};

Protected open(ByteView payload) {
    if (payload.size() < kCrcBytes) throw Error(Errc::format, "a chunk is too short for its checksum");
    std::uint32_t crc = 0;
    for (std::size_t i = kCrcBytes; i-- > 0;) crc = crc << 8 | payload[i];
    return {payload.subspan(kCrcBytes), crc};
}

void require_crc(std::uint32_t stored, std::uint32_t computed) {
    if (stored != computed) throw Error(Errc::checksum, "the checksum of a chunk does not match");
}

Bytes end_payload(std::size_t iterations) {
    if (iterations < 0x80) return {static_cast<std::uint8_t>(iterations)};
    return {static_cast<std::uint8_t>((iterations & 0x7F) | 0x80), static_cast<std::uint8_t>(iterations >> 7)};
}

// Throws Error unless `data` holds a header and at least one whole code chunk, all of it sound.
void decode_file(ByteView data) {
    std::size_t at = 0;
    const Header header = read_header(data, at);
    const std::uint32_t rows = header.rows();
    const std::uint32_t columns = header.columns();
    // Factors are limited one by one, since the product of all three may pass 64 bits.
    const std::uint64_t positions = std::uint64_t{rows} * columns;
    if (std::uint64_t{header.width} * header.height > kMaxPixels || positions > kMaxPixels ||
        positions * header.depth > kMaxPixels) {
        throw Error(Errc::limit, "the picture exceeds the pixel limit");
    }

    AdaptiveCoder coder(header.depth, rows, columns);
    std::vector<std::int8_t> codes(coder.plane_size());
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
            if (header.alpha != 0 && !has_alpha) throw Error(Errc::format, "the alpha channel is missing");
            const auto [content, crc] = open(payload);
            coder.decode(content, codes);
            require_crc(crc, coder.checksum(crc32c(content, type_crc)));
        } else if (is(*chunk, ChunkType::alpha) && header.alpha != 0) {
            const auto [content, crc] = open(payload);
            require_crc(crc, crc32c(content, type_crc));
            if (has_alpha) throw Error(Errc::format, "there is a second alpha channel");
            // Inflating is not the core's, so the rows here are not those of the picture.
            Bytes scanlines = alpha_data(content, header);
            const std::size_t width = header.width, height = header.height;
            scanlines.resize((width + 1) * height);
            for (std::size_t y = 0; y < height; ++y) scanlines[y * (width + 1)] %= 5;
            Bytes alpha(width * height);
            unfilter(scanlines, width, alpha);
            has_alpha = true;
        } else if (is(*chunk, ChunkType::icc) || is(*chunk, ChunkType::exif) || is(*chunk, ChunkType::xmp)) {
            const auto [content, crc] = open(payload);
            require_crc(crc, crc32c(content, type_crc));
        }
        at = chunk->next;
    }
    if (iterations == 0) throw Error(Errc::truncated, "there is no whole code chunk");
}

bool decodes(ByteView data) {
    try {
        decode_file(data);
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

#ifdef RECODEC_FUZZ

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    decodes({data, size});
    return 0;
}

#else

namespace {

struct Summary {
    std::size_t decoded = 0, rejected = 0;

    void add(const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("cannot read " + path.string());
        // As long as the file and no longer, so that a read past the end is one past the allocation.
        const Bytes data(std::istreambuf_iterator<char>(file), {});
        const Bytes exact(data.begin(), data.end());
        ++(decodes(exact) ? decoded : rejected);
    }
};

}  // namespace

int main(int count, char** paths) {
    Summary summary;
    try {
        for (int i = 1; i < count; ++i) {
            if (!std::filesystem::is_directory(paths[i])) {
                summary.add(paths[i]);
                continue;
            }
            for (const auto& entry : std::filesystem::recursive_directory_iterator(paths[i])) {
                if (entry.is_regular_file() && entry.path().extension() == ".rcd") summary.add(entry.path());
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "corpus_runner: %s\n", error.what());
        return 1;
    }
    // A run that looked at nothing must not pass for one that found nothing.
    if (summary.decoded + summary.rejected == 0) {
        std::fputs("usage: corpus_runner PATH...   (files, or directories that hold .rcd files)\n", stderr);
        return 2;
    }
    std::printf("%zu decoded, %zu rejected\n", summary.decoded, summary.rejected);
    return 0;
}

#endif
