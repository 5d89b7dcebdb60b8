// An entropy network of fixed random integers for any depth, where no model is: files that take one reach the
// coder all the same. tests/stand_in.py makes the same tables.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chunk_coder.hpp"
#include "container.hpp"
#include "entropy_tables.hpp"
#include "mutate.hpp"
#include "plane_header.hpp"

namespace recodec {

// Two symbols for multiples of 16, otherwise three, and as many groups as there can be. Throws Error where
// groups cannot be: for depths that are no multiples of 4.
inline std::shared_ptr<const EntropyTables> stand_in_tables(std::size_t depth) {
    constexpr std::size_t iterations = 2, width = 8, embedding_width = 16;
    const std::size_t bits = depth % 16 == 0 ? depth : 2 * depth;
    Random random(depth);
    std::map<std::string, IntegerTensor> tensors;
    const auto add = [&](const char* name, std::vector<std::size_t> shape, std::int32_t limit) {
        std::size_t count = 1;
        for (const std::size_t size : shape) count *= size;
        std::vector<std::int32_t> values(count);
        for (auto& value : values) {
            value = static_cast<std::int32_t>(random.below(2 * static_cast<std::size_t>(limit) + 1)) - limit;
        }
        tensors[name] = {std::move(shape), std::move(values)};
    };
    constexpr std::int32_t weight = 40, bias = 4096;
    add("embedding", {iterations, 2 * depth, embedding_width}, weight);
    add("causal", {EntropyTables::kCausalTaps, width, embedding_width}, weight);
    add("state", {EntropyTables::kStateTaps, width, embedding_width}, weight);
    add("recurrence", {width, width}, weight);
    add("former", {width, width}, weight);
    add("own", {iterations, 2 * depth, width}, weight);
    add("output", {iterations, bits, width}, weight);
    add("direct", {iterations, 2 * depth, bits}, weight);
    add("embedding_bias", {iterations, embedding_width}, bias);
    add("state_bias", {iterations, width}, bias);
    add("hidden_bias", {iterations, width}, bias);
    add("output_bias", {iterations, bits}, bias);
    std::vector<std::int32_t>& direct = tensors["direct"].values;
    for (std::size_t i = 0; i < direct.size(); ++i) {
        if (i % bits % depth <= i / bits % depth) direct[i] = 0;
    }
    tensors["groups"] = {{1}, {static_cast<std::int32_t>(bits / 8)}};
    return std::make_shared<EntropyTables>(tensors);
}

// The coder of a file, with that network if it takes one. Throws Error.
inline std::unique_ptr<PlaneCoder> stand_in_coder(EntropyCoder coder, std::uint32_t depth, std::uint32_t rows,
                                                  std::uint32_t columns) {
    return make_plane_coder(coder, depth, rows, columns, coder.kind == 2 ? stand_in_tables(depth) : nullptr);
}

inline std::unique_ptr<PlaneCoder> stand_in_coder(const Header& header, const PlaneHeader& fields) {
    return stand_in_coder(fields.entropy, fields.depth, fields.positions(header.height), fields.positions(header.width));
}

}  // namespace recodec
