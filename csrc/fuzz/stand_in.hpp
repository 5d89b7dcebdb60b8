// Entropy networks of fixed random integers and an order of planes for any depth, where no model is: files that take
// them reach the coder all the same. tests/stand_in.py makes the same.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "chunk_coder.hpp"
#include "container.hpp"
#include "entropy_tables.hpp"
#include "mutate.hpp"
#include "plane_header.hpp"

namespace recodec {

// Tensors of numbers between -limit and limit, one after the other from one generator.
class RandomTensors {
public:
    explicit RandomTensors(std::size_t seed) : random_(seed) {}

    void add(const char* name, Shape shape, std::int32_t limit) {
        std::size_t count = 1;
        for (const std::size_t size : shape) count *= size;
        std::vector<std::int32_t> values(count);
        for (auto& value : values) {
            value = static_cast<std::int32_t>(random_.below(2 * static_cast<std::size_t>(limit) + 1)) - limit;
        }
        made[name] = {std::move(shape), std::move(values)};
    }

    IntegerTensors made;

private:
    Random random_;
};

// Two symbols for multiples of 16, otherwise three, and as many groups as there can be. Throws Error where
// groups cannot be: for depths that are no multiples of 4.
inline std::shared_ptr<const EntropyTables> stand_in_tables(std::size_t depth) {
    constexpr std::size_t iterations = 2, width = 8, embedding_width = 16;
    const std::size_t bits = depth % 16 == 0 ? depth : 2 * depth;
    RandomTensors tensors(depth);
    constexpr std::int32_t weight = 40, bias = 4096;
    tensors.add("embedding", {iterations, 2 * depth, embedding_width}, weight);
    tensors.add("causal", {EntropyTables::kCausalTaps, width, embedding_width}, weight);
    tensors.add("state", {EntropyTables::kStateTaps, width, embedding_width}, weight);
    tensors.add("recurrence", {width, width}, weight);
    tensors.add("former", {width, width}, weight);
    tensors.add("own", {iterations, 2 * depth, width}, weight);
    tensors.add("output", {iterations, bits, width}, weight);
    tensors.add("direct", {iterations, 2 * depth, bits}, weight);
    tensors.add("embedding_bias", {iterations, embedding_width}, bias);
    tensors.add("state_bias", {iterations, width}, bias);
    tensors.add("hidden_bias", {iterations, width}, bias);
    tensors.add("output_bias", {iterations, bits}, bias);
    std::vector<std::int32_t>& direct = tensors.made["direct"].values;
    for (std::size_t i = 0; i < direct.size(); ++i) {
        if (i % bits % depth <= i / bits % depth) direct[i] = 0;
    }
    tensors.made["groups"] = {{1}, {static_cast<std::int32_t>(bits / 8)}};
    return std::make_shared<EntropyTables>(tensors.made);
}

// An order of three planes in six chunks, with latents of two planes, with planes of one latent in one chunk, and with
// a chunk of its own for the last plane of some. Throws Error for more latents than there can be.
inline std::shared_ptr<const EmbeddedOrder> stand_in_order(std::size_t depth) {
    constexpr std::size_t planes = 3, chunks = 6;
    std::vector<std::int32_t> chunk_of(depth * planes);
    for (std::size_t channel = 0; channel < depth; ++channel) {
        for (std::size_t plane = 0; plane < planes; ++plane) {
            std::size_t chunk = channel % 4 == 0 ? 0 : channel % 3 + planes - 1 - plane;
            if (channel % 5 == 4 && plane == 2) chunk = chunks;
            if (channel % 7 == 3 && plane == 0) chunk = chunks - 1;
            chunk_of[channel * planes + plane] = static_cast<std::int32_t>(chunk);
        }
    }
    return std::make_shared<EmbeddedOrder>(chunk_of, depth, planes, chunks);
}

inline std::shared_ptr<const EmbeddedTables> stand_in_embedded_tables(std::size_t depth) {
    constexpr std::size_t width = 16, inner_width = 8;
    const auto order = stand_in_order(depth);
    const std::size_t codes = order->codes(), chunks = order->count();
    RandomTensors tensors(depth);
    constexpr std::int32_t weight = 40, bias = 4096;
    tensors.add("around", {2, depth, EmbeddedTables::kTaps, width}, weight);
    tensors.add("own", {2, depth, inner_width}, weight);
    tensors.add("inner", {inner_width, width}, weight);
    tensors.add("bias", {chunks, width}, bias);
    tensors.add("inner_bias", {chunks, inner_width}, bias);
    tensors.add("significance", {codes, inner_width}, weight);
    tensors.add("significance_bias", {codes}, bias);
    tensors.add("sign", {codes, inner_width}, weight);
    tensors.add("sign_bias", {codes}, bias);
    tensors.add("near", {codes, EmbeddedTables::kNeighbours}, weight);
    tensors.add("near_sign", {codes, EmbeddedTables::kNeighbours}, weight);
    tensors.add("refinement_bias", {codes, 2}, bias);
    tensors.add("refinement_share", {codes}, weight);
    return std::make_shared<EmbeddedTables>(tensors.made, order);
}

// The coder of a file, with what it takes from a model. Throws Error.
inline std::unique_ptr<PlaneCoder> stand_in_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t rows,
                                                  std::uint32_t columns) {
    ModelPart part;
    if (coder.kind == EntropyCoder::kNetwork) {
        if (coder.is_embedded()) part = stand_in_embedded_tables(depth);
        else part = stand_in_tables(depth);
    } else if (coder.is_embedded()) {
        part = stand_in_order(depth);
    }
    return make_plane_coder(coder, depth, rows, columns, std::move(part));
}

inline std::unique_ptr<PlaneCoder> stand_in_coder(const Header& header, const PlaneHeader& fields) {
    return stand_in_coder(fields.entropy, fields.depth, fields.positions(header.height), fields.positions(header.width));
}

}  // namespace recodec
