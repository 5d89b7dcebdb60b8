#include "model_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "../container.hpp"
#include "../crc32c.hpp"
#include "../error.hpp"
#include "../sizes.hpp"

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

enum class ValueType : std::uint8_t { int8 = 0, int32 = 1, float16 = 2, float32 = 3 };

// Not std::bit_cast, which Emscripten's library of 2022 has not.
float as_float(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

float half_value(std::uint32_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 0x3FFu;
    // Below 2^-14 it counts units of 2^-24.
    if (exponent == 0) return (sign != 0 ? -1.0f : 1.0f) * static_cast<float>(fraction) * 0x1p-24f;
    const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
    return as_float(sign | wide << 23 | fraction << 13);
}

struct Tensors {
    IntegerTensors integers;
    FloatTensors floats;
};

void read_tensor(ModelReader& reader, Tensors& tensors) {
    const std::string name = reader.text();
    const auto type = static_cast<ValueType>(reader.byte());
    const std::size_t dimensions = reader.byte();
    if (type > ValueType::float32 || dimensions == 0 || dimensions > kMostDimensions) {
        throw Error(Errc::format, "a model's file has a tensor of no known type or shape");
    }
    Shape shape;
    std::uint64_t count = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
        shape.push_back(reader.u32());
        count *= shape.back();
        if (count > std::numeric_limits<std::uint32_t>::max()) throw Error(Errc::format, "a model's tensor is too large");
    }
    const std::size_t size = type == ValueType::int8 ? 1 : type == ValueType::float16 ? 2 : 4;
    const ByteView bytes = reader.take(size_product({static_cast<std::size_t>(count), size}));
    if (type == ValueType::int8 || type == ValueType::int32) {
        std::vector<std::int32_t> values(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = size == 1 ? static_cast<std::int8_t>(bytes[i]) : static_cast<std::int32_t>(get_u32(bytes.subspan(4 * i)));
        }
        tensors.integers.insert_or_assign(name, IntegerTensor{std::move(shape), std::move(values)});
        return;
    }
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = size == 2 ? half_value(bytes[2 * i] | std::uint32_t{bytes[2 * i + 1]} << 8)
                              : as_float(get_u32(bytes.subspan(4 * i)));
        if (!std::isfinite(values[i])) reject_tensor(name, "holds what is no finite number");
    }
    tensors.floats.insert_or_assign(name, FloatTensor{std::move(shape), std::move(values)});
}

}  // namespace

ModelFile read_model_file(ByteView data) {
    if (data.size() < kModelMagic.size() || !std::equal(kModelMagic.begin(), kModelMagic.end(), data.begin())) {
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
    const ByteView hash = reader.take(model.hash.size());
    std::copy(hash.begin(), hash.end(), model.hash.begin());
    model.stride = reader.byte();
    // 0 stands for 256.
    const std::size_t channels = (reader.byte() + 255u) % 256u + 1u, planes = reader.byte(), chunks = reader.byte();
    const ByteView bytes = reader.take(channels * planes);
    const std::vector<std::int32_t> chunk_of(bytes.begin(), bytes.end());
    model.order = std::make_shared<EmbeddedOrder>(chunk_of, channels, planes, chunks);
    Tensors tensors;
    for (std::size_t left = reader.byte(); left > 0; --left) read_tensor(reader, tensors);
    if (!reader.at_end()) throw Error(Errc::format, "a model's file has bytes after its tensors");
    if (!tensors.integers.empty()) model.tables = std::make_shared<EmbeddedTables>(tensors.integers, model.order);
    if (model.stride != Synthesis::kStride) throw Error(Errc::format, "a model's stride is not 16");
    model.synthesis = std::make_shared<Synthesis>(tensors.floats, bytes, channels, planes, chunks);
    return model;
}

}  // namespace recodec
