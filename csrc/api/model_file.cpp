#include "model_file.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "../container.hpp"
#include "../crc32c.hpp"
#include "../error.hpp"

namespace recodec {

namespace {

constexpr std::array<std::uint8_t, 4> kModelMagic = {0x8E, 'R', 'C', 'M'};
constexpr std::uint8_t kVersion = 0;
constexpr std::size_t kMostDimensions = 4;

class ModelReader {
public:
    explicit ModelReader(ByteView data) : data_(data) {}

    ByteView take(std::size_t count) {
        if (count > data_.size()) throw Error(Errc::truncated, "a model's file ends too early");
        const ByteView taken = data_.first(count);
        data_ = data_.subspan(count);
        return taken;
    }
    std::uint8_t byte() { return take(1)[0]; }
    std::uint32_t u32() { return get_u32(take(4)); }
    std::string text() {
        const ByteView bytes = take(byte());
        return {bytes.begin(), bytes.end()};
    }
    bool at_end() const { return data_.empty(); }

private:
    ByteView data_;
};

std::int32_t signed_value(ByteView bytes) {
    if (bytes.size() == 1) return static_cast<std::int8_t>(bytes[0]);
    return static_cast<std::int32_t>(get_u32(bytes));
}

std::shared_ptr<const EmbeddedOrder> read_order(ModelReader& reader) {
    // 0 stands for 256.
    const std::size_t channels = (reader.byte() + 255u) % 256u + 1u, planes = reader.byte(), chunks = reader.byte();
    const ByteView bytes = reader.take(channels * planes);
    const std::vector<std::int32_t> chunk_of(bytes.begin(), bytes.end());
    return std::make_shared<EmbeddedOrder>(chunk_of, channels, planes, chunks);
}

IntegerTensor read_tensor(ModelReader& reader) {
    const std::size_t value_bytes = reader.byte(), dimensions = reader.byte();
    if ((value_bytes != 1 && value_bytes != 4) || dimensions == 0 || dimensions > kMostDimensions) {
        throw Error(Errc::format, "a model's file has a tensor of no known type or shape");
    }
    IntegerTensor tensor;
    std::uint64_t count = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
        tensor.shape.push_back(reader.u32());
        count *= tensor.shape.back();
        if (count > std::numeric_limits<std::uint32_t>::max()) throw Error(Errc::format, "a model's tensor is too large");
    }
    const ByteView bytes = reader.take(static_cast<std::size_t>(count) * value_bytes);
    tensor.values.reserve(static_cast<std::size_t>(count));
    for (std::size_t at = 0; at < bytes.size(); at += value_bytes) {
        tensor.values.push_back(signed_value(bytes.subspan(at, value_bytes)));
    }
    return tensor;
}

}  // namespace

ModelFile read_model_file(ByteView data) {
    if (data.size() < kModelMagic.size() || !std::ranges::equal(data.first(kModelMagic.size()), kModelMagic)) {
        throw Error(Errc::format, "not a model's file: its first bytes are others");
    }
    if (data.size() < kModelMagic.size() + kChecksumBytes) throw Error(Errc::truncated, "a model's file ends too early");
    const ByteView content = data.first(data.size() - kChecksumBytes);
    if (content.size() > kModelMagic.size() && content[kModelMagic.size()] != kVersion) {
        throw Error(Errc::unsupported, "a model's file of version " + std::to_string(content[kModelMagic.size()]) +
                                           "; this version reads " + std::to_string(kVersion));
    }
    if (crc32c(content) != get_u32(data.last(kChecksumBytes))) {
        throw Error(Errc::checksum, "a model's file is damaged or cut: its checksum does not match");
    }
    ModelReader reader(content.subspan(kModelMagic.size() + 1));
    ModelFile model;
    model.id = reader.text();
    std::ranges::copy(reader.take(model.hash.size()), model.hash.begin());
    model.stride = reader.byte();
    if (model.stride == 0) throw Error(Errc::format, "a model's stride is 0");
    model.order = read_order(reader);
    IntegerTensors tensors;
    for (std::size_t left = reader.byte(); left > 0; --left) {
        std::string name = reader.text();
        tensors.insert_or_assign(std::move(name), read_tensor(reader));
    }
    if (!reader.at_end()) throw Error(Errc::format, "a model's file has bytes after its tensors");
    if (!tensors.empty()) model.tables = std::make_shared<EmbeddedTables>(tensors, model.order);
    return model;
}

}  // namespace recodec
