// A file whose bytes come piece by piece, down to indices.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../container.hpp"
#include "../plane_header.hpp"
#include "model_file.hpp"

namespace recodec {

struct StreamLimits {
    std::uint64_t pixels, bytes, waiting;
};

enum class Step { chunk, more, end };

class FileStream {
public:
    FileStream(const ModelFile& model, const StreamLimits& limits) : model_(model), limits_(limits) {}

    // Throws Error (limit).
    void feed(ByteView data);

    // Up to the end of the next code chunk. Throws Error, and then for ever the same.
    Step next();

    const std::optional<Header>& header() const { return header_; }
    const PlaneHeader& fields() const { return fields_; }
    std::uint32_t rows() const { return fields_.positions(header_->height); }
    std::uint32_t columns() const { return fields_.positions(header_->width); }
    std::uint32_t chunks() const { return chunks_; }
    const std::vector<std::int32_t>& indices() const { return indices_; }
    // The picture as it is shown so far, height x width x channels, of which there is a chunk.
    void show(std::span<std::uint8_t> pixels, std::size_t threads) const;
    // The same, rough and small: one position for kDraftStride x kDraftStride pixels.
    void show_draft(std::span<std::uint8_t> pixels) const;
    // Of a picture with one position for stride x stride pixels.
    std::size_t bytes(std::size_t stride) const;
    // None before it has come.
    const Bytes* attachment(ChunkType type) const;

private:
    void write(std::span<std::uint8_t> pixels, const FeatureMap& shown, std::size_t stride) const;
    bool begin();
    void take(const Chunk& chunk);
    void take_codes(ByteView payload);
    void take_attachment(ChunkType type, ByteView payload);
    void take_end(ByteView payload);

    const ModelFile& model_;
    StreamLimits limits_;
    Bytes waiting_;        // of which all before at_ is decoded
    std::size_t at_ = 0;
    std::optional<Header> header_;
    PlaneHeader fields_;
    std::unique_ptr<ChunkCoder> coder_;
    std::vector<std::int8_t> codes_;
    std::vector<std::int32_t> indices_;  // depth x rows x columns
    std::map<ChunkType, Bytes> attachments_;
    std::uint32_t chunks_ = 0;
    bool ended_ = false;
    std::optional<Error> failure_;
};

}  // namespace recodec
