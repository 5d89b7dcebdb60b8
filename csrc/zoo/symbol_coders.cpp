#include "symbol_coders.hpp"

#include <algorithm>

namespace recodec::zoo {

namespace {

using Symbols = std::span<const std::uint8_t>;

void put_table(Bytes& out, Symbols lengths) {
    for (std::size_t i = 0; i < lengths.size(); i += 2) {
        const unsigned high = i + 1 < lengths.size() ? lengths[i + 1] : 0u;
        out.push_back(static_cast<std::uint8_t>(lengths[i] | high << 4));
    }
}

HuffmanCode get_table(ByteView table, std::size_t symbols) {
    std::vector<std::uint8_t> lengths(symbols);
    for (std::size_t i = 0; i < symbols; ++i) {
        lengths[i] = static_cast<std::uint8_t>(i % 2 == 0 ? table[i / 2] & 15 : table[i / 2] >> 4);
    }
    return HuffmanCode(lengths);
}

void require_end(const BitSource& source, std::size_t bytes) {
    const std::size_t taken = source.bytes_taken();
    if (taken == bytes) return;
    throw Error(Errc::format, "symbols by Huffman's code take " + std::to_string(taken) + " bytes; there are " +
                                  std::to_string(bytes));
}

Bytes encode_huffman(Symbols symbols, Symbols contexts, int bits, std::size_t codes) {
    const std::size_t size = std::size_t{1} << bits;
    std::vector<std::uint32_t> counts(codes * size, 0);
    const auto code_of = [&](std::size_t i) { return codes == 1 ? 0 : std::size_t{contexts[i]}; };
    for (std::size_t i = 0; i < symbols.size(); ++i) ++counts[code_of(i) * size + symbols[i]];
    Bytes data;
    std::vector<HuffmanCode> tables;
    for (std::size_t c = 0; c < codes; ++c) {
        const auto lengths = word_lengths(std::span(counts).subspan(c * size, size));
        put_table(data, lengths);
        tables.emplace_back(lengths);
    }
    BitStream stream;
    for (std::size_t i = 0; i < symbols.size(); ++i) tables[code_of(i)].write(stream, symbols[i]);
    const Bytes words = std::move(stream).finish();
    data.insert(data.end(), words.begin(), words.end());
    return data;
}

Bytes encode_adaptive_huffman(Symbols symbols, int bits) {
    AdaptiveCode code(bits);
    BitStream stream;
    for (const std::uint8_t symbol : symbols) {
        code.code().write(stream, symbol);
        code.learn(symbol);
    }
    return std::move(stream).finish();
}

template <class Node>
Bytes encode_paths(Symbols symbols, Symbols contexts, Trees<Node> trees) {
    RangeEncoder encoder;
    BitWriter writer(encoder);
    for (std::size_t i = 0; i < symbols.size(); ++i) trees.code(writer, symbols[i], contexts.empty() ? 0 : contexts[i]);
    return std::move(encoder).finish();
}

// A byte is a logit of -10 to 10 in steps of 0.079.
constexpr std::int32_t kLogitStep = 322, kLeastLogit = -41055;

FixedNode node_of(std::uint8_t level) {
    const std::int32_t p = logistic(kLeastLogit + level * kLogitStep);
    return {static_cast<Probability>(std::clamp(p, kLeastProbability, 65536 - kLeastProbability))};
}

Bytes encode_with_table(Symbols symbols, int bits) {
    const std::size_t size = std::size_t{1} << bits;
    std::vector<std::uint64_t> visits(2 * size, 0);
    for (const std::uint8_t symbol : symbols) {
        for (std::size_t node = size + symbol; node != 0; node /= 2) ++visits[node];
    }
    Bytes data;
    for (std::size_t node = 1; node < size; ++node) {
        const std::uint64_t ones = visits[2 * node + 1], all = std::max<std::uint64_t>(visits[node], 1);
        const auto p = static_cast<std::int32_t>(std::min<std::uint64_t>(ones * 65536 / all, 65535));
        data.push_back(static_cast<std::uint8_t>(
            std::clamp((logit(p) - kLeastLogit + kLogitStep / 2) / kLogitStep, 0, 255)));
    }
    ByteView table = data;
    const Bytes paths = encode_paths(symbols, {}, read_trees(table, bits));
    data.insert(data.end(), paths.begin(), paths.end());
    return data;
}

}  // namespace

Bytes encode_symbols(Symbols symbols, Symbols contexts, int bits, Coding coding) {
    switch (coding) {
        case Coding::huffman: return encode_huffman(symbols, contexts, bits, 1);
        case Coding::huffman_contexts: return encode_huffman(symbols, contexts, bits, kContexts);
        case Coding::huffman_adaptive: return encode_adaptive_huffman(symbols, bits);
        case Coding::contexts: return encode_paths(symbols, contexts, AdaptiveTrees(bits, kContexts));
        case Coding::range_adaptive: return encode_paths(symbols, {}, AdaptiveTrees(bits, 1));
        case Coding::range: return encode_with_table(symbols, bits);
    }
    throw Error(Errc::unsupported, "coding " + std::to_string(static_cast<int>(coding)) + " of symbols is not known");
}

HuffmanDecoder::HuffmanDecoder(ByteView data, int bits, std::size_t codes) : source_({}) {
    const std::size_t size = table_bytes(bits), tables = codes * size;
    if (data.size() < tables) {
        throw Error(Errc::format, "symbols have " + std::to_string(data.size()) + " bytes; the tables of their codes take " +
                                      std::to_string(tables));
    }
    for (std::size_t c = 0; c < codes; ++c) {
        codes_.push_back(get_table(data.subspan(c * size, size), std::size_t{1} << bits));
    }
    source_ = BitSource(data.subspan(tables));
    bytes_ = data.size() - tables;
}

void HuffmanDecoder::finish() const { require_end(source_, bytes_); }

void AdaptiveHuffmanDecoder::finish() const { require_end(source_, bytes_); }

FixedTrees read_trees(ByteView& data, int bits) {
    const std::size_t nodes = (std::size_t{1} << bits) - 1;
    if (data.size() < nodes) {
        throw Error(Errc::format, "symbols have " + std::to_string(data.size()) + " bytes; their probabilities take " +
                                      std::to_string(nodes));
    }
    FixedTrees trees(bits, 1);
    for (std::size_t i = 0; i < nodes; ++i) trees.at(i + 1) = node_of(data[i]);
    data = data.subspan(nodes);
    return trees;
}

}  // namespace recodec::zoo
