#include "file_stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "../crc32c.hpp"
#include "../error.hpp"
#include "../plane_limits.hpp"
#include "../sizes.hpp"

namespace recodec {

namespace {

std::size_t parts(std::uint32_t side, std::size_t stride) { return (side - 1) / stride + 1; }

}  // namespace

void FileStream::feed(ByteView data) {
    if (ended_ || failure_) return;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
    if (data.size() > limits_.waiting || waiting_.size() > limits_.waiting - data.size()) {
        throw Error(Errc::limit, "more than " + std::to_string(limits_.waiting) + " bytes wait to be decoded");
    }
    waiting_.insert(waiting_.end(), data.begin(), data.end());
}

Step FileStream::next() {
    if (failure_) throw Error(*failure_);
    try {
        if (!begin()) return Step::more;
        const std::uint32_t before = chunks_;
        while (!ended_ && chunks_ == before) {
            const std::optional<Chunk> chunk = read_chunk(waiting_, at_);
            if (!chunk) return Step::more;
            take(*chunk);
            at_ = chunk->next;
        }
        return chunks_ > before ? Step::chunk : Step::end;
    } catch (const Error& error) {
        failure_ = error;
        waiting_.clear();
        at_ = 0;
        throw;
    }
}

const Bytes* FileStream::attachment(ChunkType type) const {
    const auto found = attachments_.find(type);
    return found == attachments_.end() ? nullptr : &found->second;
}

void FileStream::show(std::span<std::uint8_t> pixels, std::size_t threads) const {
    write(pixels, (*model_.synthesis)(indices_, rows(), columns(), chunks_, threads), 1);
}

void FileStream::show_draft(std::span<std::uint8_t> pixels) const {
    write(pixels, model_.synthesis->draft(indices_, rows(), columns(), chunks_), Synthesis::kDraftStride);
}

std::size_t FileStream::bytes(std::size_t stride) const {
    return size_product({parts(header_->height, stride), parts(header_->width, stride), header_->channels});
}

// What of a map, of one position for stride x stride pixels, is in the picture.
void FileStream::write(std::span<std::uint8_t> pixels, const FeatureMap& shown, std::size_t stride) const {
    const auto height = static_cast<std::ptrdiff_t>(parts(header_->height, stride));
    const auto width = static_cast<std::ptrdiff_t>(parts(header_->width, stride));
    std::size_t to = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const float* at = shown.at(y, x);
            // Grey is the mean of all three.
            const float mean = (at[0] + at[1] + at[2]) / 3;
            for (std::size_t c = 0; c < header_->channels; ++c) {
                const float value = header_->channels == 1 ? mean : at[c];
                pixels[to++] = static_cast<std::uint8_t>(std::nearbyint(std::clamp(value + 0.5f, 0.0f, 1.0f) * 255));
            }
        }
    }
}

// Whether the header is known.
bool FileStream::begin() {
    if (header_) return true;
    std::size_t end = 0;
    Header header;
    try {
        header = read_header(waiting_, end);
    } catch (const Error& error) {
        if (error.code() == Errc::truncated) return false;
        throw;
    }
    if (header.family != kPlaneFamily) {
        throw Error(Errc::unsupported, "files of family " + std::to_string(header.family) + " are not decoded here");
    }
    if (header.model != model_.id || header.model_hash != model_.hash) {
        throw Error(Errc::unsupported, "the file was made with model '" + header.model + "', or other weights of it; here is '" +
                                           model_.id + "'");
    }
    const PlaneHeader fields = read_plane_header(header);
    if (fields.depth != model_.order->channels() || fields.stride != model_.stride) {
        throw Error(Errc::format, "depth or stride of the file are not those of its model");
    }
    check_tiles(header, fields);
    const std::uint32_t rows = fields.positions(header.height), columns = fields.positions(header.width);
    if (size_product({rows, columns, fields.stride, fields.stride}) > limits_.pixels) {
        throw Error(Errc::limit, std::to_string(header.width) + " x " + std::to_string(header.height) +
                                     " pixels; the limit is " + std::to_string(limits_.pixels));
    }
    ModelPart part;
    if (fields.entropy.kind == EntropyCoder::kNetwork) part = model_.tables;
    else part = model_.order;
    // Indices, and codes of a chunk, which are fewer.
    const std::size_t latents = size_product({rows, columns, fields.depth, sizeof(std::int32_t) + 1}) / 5;
    const std::uint64_t needed = coder_bytes(fields.entropy, fields.depth, rows, columns, part, 1) + 5 * std::uint64_t{latents} +
                                 model_.synthesis->bytes(std::uint64_t{rows} * columns);
    if (needed > limits_.bytes) {
        throw Error(Errc::limit, "decoding takes " + std::to_string(needed) + " bytes; the limit is " +
                                     std::to_string(limits_.bytes));
    }
    coder_ = std::make_unique<ChunkCoder>(fields.entropy, fields.depth, rows, columns, part);
    indices_.assign(latents, 0);
    fields_ = fields;
    header_ = std::move(header);
    at_ = end;
    return true;
}

void FileStream::take(const Chunk& chunk) {
    const ByteView payload = ByteView(waiting_).subspan(chunk.payload, chunk.size);
    const auto type = static_cast<ChunkType>(chunk.type);
    switch (type) {
        case ChunkType::codes: return take_codes(payload);
        case ChunkType::end: return take_end(payload);
        case ChunkType::icc:
        case ChunkType::alpha:
        case ChunkType::exif:
        case ChunkType::xmp: return take_attachment(type, payload);
        default: return;  // the lossless part of a file, or of a later version
    }
}

void FileStream::take_codes(ByteView payload) {
    if (chunks_ >= model_.order->count()) {
        throw Error(Errc::format, "more code chunks than the model has");
    }
    if (header_->alpha == kAlphaAsPng && attachment(ChunkType::alpha) == nullptr) {
        throw Error(Errc::format, "the alpha channel is missing");
    }
    const EmbeddedOrder::Chunk& chunk = model_.order->chunk(chunks_);
    const std::size_t plane = std::size_t{rows()} * columns();
    codes_.resize(chunk.codes.size() * plane);
    const std::array<ByteView, 1> payloads = {payload};
    const std::array<std::span<std::int8_t>, 1> planes = {codes_};
    coder_->decode(payloads, planes, 1);
    for (std::size_t c = 0; c < chunk.codes.size(); ++c) {
        std::int32_t* to = indices_.data() + chunk.codes[c].channel * plane;
        const std::int8_t* from = codes_.data() + c * plane;
        for (std::size_t i = 0; i < plane; ++i) to[i] += from[i] * (1 << chunk.codes[c].plane);
    }
    ++chunks_;
}

void FileStream::take_attachment(ChunkType type, ByteView payload) {
    if (type == ChunkType::alpha && header_->alpha != kAlphaAsPng) return;
    if (attachment(type) != nullptr) {
        if (type == ChunkType::alpha) throw Error(Errc::format, "there is a second alpha channel");
        return;
    }
    // A prefix and the whole file are to have the same colours.
    if (type == ChunkType::icc && (header_->colour != 1 || chunks_ > 0)) return;
    if (payload.size() < kChecksumBytes) throw Error(Errc::format, "a chunk is too short for its checksum");
    const ByteView content = payload.subspan(kChecksumBytes);
    const auto number = static_cast<std::uint8_t>(type);
    if (crc32c(content, crc32c(ByteView(&number, 1))) != get_u32(payload)) {
        throw Error(Errc::checksum, "a chunk of type " + std::to_string(number) + " is damaged: its checksum does not match");
    }
    attachments_.emplace(type, Bytes(content.begin(), content.end()));
}

void FileStream::take_end(ByteView payload) {
    ByteReader reader(payload);
    const auto count = reader.varint();
    if (!count || reader.left() > 0 || *count != chunks_) throw Error(Errc::format, "the end mark disagrees");
    ended_ = true;
}

}  // namespace recodec
