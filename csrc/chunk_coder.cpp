#include "chunk_coder.hpp"

#include <string>
#include <utility>

#include "binary_coder.hpp"
#include "crc32c.hpp"
#include "embedded_adaptive_coder.hpp"
#include "embedded_network_coder.hpp"
#include "error.hpp"
#include "network_coder.hpp"
#include "ternary_coder.hpp"

namespace recodec {

namespace {

constexpr const char *kNetwork = "a network", *kEmbeddedPlanes = "embedded planes",
                     *kEmbeddedNetwork = "a network of embedded planes";

template <class Part>
std::shared_ptr<const Part> required(const ModelPart& part, const char* what) {
    const auto* found = std::get_if<std::shared_ptr<const Part>>(&part);
    if (found == nullptr || *found == nullptr) {
        throw Error(Errc::unsupported, std::string("the entropy coder needs ") + what + ", which the model has not");
    }
    return *found;
}

}  // namespace

std::unique_ptr<PlaneCoder> make_plane_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height,
                                             std::uint32_t width, ModelPart part) {
    if (!coder.is_known()) {
        throw Error(Errc::unsupported,
                    "entropy coder " + std::to_string(coder.kind) + ", version " + std::to_string(coder.version));
    }
    if (coder.is_embedded()) {
        if (coder.kind == EntropyCoder::kNetwork) {
            return std::make_unique<EmbeddedNetworkCoder>(
                depth, height, width, required<EmbeddedTables>(part, kEmbeddedNetwork), coder.is_learning());
        }
        return std::make_unique<EmbeddedAdaptiveCoder>(depth, height, width,
                                                       required<EmbeddedOrder>(part, kEmbeddedPlanes));
    }
    if (coder.kind == EntropyCoder::kNetwork) {
        return std::make_unique<NetworkCoder>(depth, height, width, required<EntropyTables>(part, kNetwork));
    }
    if (coder.version == 1) return std::make_unique<BinaryCoder>(depth, height, width);
    return std::make_unique<TernaryCoder>(depth, height, width);
}

std::uint64_t coder_bytes(EntropyCoder coder, std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                          const ModelPart& part, std::size_t threads) {
    std::size_t cell = 0, once = 0;
    if (coder.is_embedded()) {
        cell = depth * (sizeof(std::int16_t) + sizeof(std::int8_t));
        if (coder.kind == EntropyCoder::kNetwork) {
            const auto tables = required<EmbeddedTables>(part, kEmbeddedNetwork);
            cell += tables->width * sizeof(std::int32_t);
            if (coder.is_learning()) once = EmbeddedCorrections::bytes(tables->order()->codes());
        } else {
            cell += required<EmbeddedOrder>(part, kEmbeddedPlanes)->most_codes();
        }
    } else if (coder.kind == EntropyCoder::kNetwork) {
        const auto tables = required<EntropyTables>(part, kNetwork);
        cell = size_product({threads + 1, tables->width + tables->embedding_width, sizeof(std::int16_t)}) + depth;
    } else {
        cell = coder.version == 1 ? BinaryCoder::kPlanes * std::size_t{depth}
                                  : TernaryCoder::kPlanes * (depth + sizeof(std::uint16_t));
    }
    return size_product({PaddedGrid{height, width}.cells(), cell}) + once;
}

std::uint32_t checksum_of_coded(ByteView coded) {
    const auto type = static_cast<std::uint8_t>(ChunkType::codes);
    return crc32c(coded, crc32c(ByteView(&type, 1)));
}

ChunkCoder::ChunkCoder(EntropyCoder coder, std::uint32_t depth, std::uint32_t height, std::uint32_t width,
                       ModelPart part)
    : coder_(make_plane_coder(coder, depth, height, width, std::move(part))) {}

Bytes ChunkCoder::encode(std::span<const std::int8_t> codes) {
    const std::lock_guard lock(mutex_);
    const Bytes coded = coder_->encode(codes);
    Bytes payload;
    payload.reserve(kChecksumBytes + coded.size());
    put_u32(payload, coder_->checksum(checksum_of_coded(coded)));
    payload.insert(payload.end(), coded.begin(), coded.end());
    return payload;
}

std::vector<std::uint32_t> ChunkCoder::decode_next(std::span<const ByteView> coded,
                                                   std::span<const std::span<std::int8_t>> planes,
                                                   std::size_t threads) {
    std::vector<CodedPlane> all;
    all.reserve(coded.size());
    for (std::size_t i = 0; i < coded.size(); ++i) all.push_back({coded[i], planes[i], checksum_of_coded(coded[i])});
    coder_->decode_all(all, threads);
    decoded_ += all.size();
    std::vector<std::uint32_t> checksums;
    for (const CodedPlane& plane : all) checksums.push_back(plane.checksum);
    return checksums;
}

std::vector<std::uint32_t> ChunkCoder::decode_any(std::span<const ByteView> coded,
                                                  std::span<const std::span<std::int8_t>> planes, std::size_t threads) {
    const std::lock_guard lock(mutex_);
    return decode_next(coded, planes, threads);
}

void ChunkCoder::decode(std::span<const ByteView> payloads, std::span<const std::span<std::int8_t>> planes,
                        std::size_t threads) {
    const std::lock_guard lock(mutex_);
    const std::size_t first = decoded_ + 1;
    const auto chunk = [&](std::size_t i) { return "code chunk " + std::to_string(first + i); };
    std::vector<ByteView> coded;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        if (payloads[i].size() < kChecksumBytes) {
            throw Error(Errc::format,
                        chunk(i) + " has " + std::to_string(payloads[i].size()) + " bytes; its checksum takes 4");
        }
        coded.push_back(payloads[i].subspan(kChecksumBytes));
    }
    const std::vector<std::uint32_t> checksums = decode_next(coded, planes, threads);
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        if (checksums[i] != get_u32(payloads[i])) {
            throw Error(Errc::checksum, chunk(i) + " is damaged: its checksum does not match");
        }
    }
}

}  // namespace recodec
