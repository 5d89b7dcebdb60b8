// Ways to code symbols of up to 8 bits, each in one of 16 contexts: Huffman's and the range coder's, with tables in
// front or learning as they go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "../bytes.hpp"
#include "../mixing.hpp"
#include "../plane_coder.hpp"
#include "../range_coder.hpp"
#include "huffman.hpp"

namespace recodec::zoo {

inline constexpr std::size_t kContexts = 16;

// Numbers are those of files and of the Python side.
enum class Coding : std::uint8_t {
    huffman = 0,           // one code, its lengths in front
    contexts = 1,          // range coder, counters of every context learn
    huffman_contexts = 2,  // a code for every context
    huffman_adaptive = 3,  // one code, made anew of all counts every 256 symbols
    range = 4,             // range coder, probabilities in front
    range_adaptive = 5,    // range coder, counters learn
};

constexpr bool uses_contexts(Coding coding) { return coding == Coding::contexts || coding == Coding::huffman_contexts; }

// Lengths of the words of one code, 4 bits each, two in a byte.
inline std::size_t table_bytes(int bits) { return ((std::size_t{1} << bits) + 1) / 2; }

// Of symbols that all are below 2^bits; their contexts, below kContexts, are looked at where the coding uses them.
Bytes encode_symbols(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> contexts, int bits,
                     Coding coding);

// A decoder for each way: next(context) gives symbols in order, finish() throws Error (format) where Huffman's bytes are
// left over or were missing. A range decoder reads zeros beyond the end.

class HuffmanDecoder {
public:
    HuffmanDecoder(ByteView data, int bits, std::size_t codes);
    std::uint8_t next(std::size_t context) { return codes_[codes_.size() == 1 ? 0 : context].read(source_); }
    void finish() const;

private:
    std::vector<HuffmanCode> codes_;
    BitSource source_;
    std::size_t bytes_;
};

// Counts of what came before and the code that they give.
class AdaptiveCode {
public:
    explicit AdaptiveCode(int bits) : counts_(std::size_t{1} << bits, 1), code_(word_lengths(counts_)) {}
    const HuffmanCode& code() const { return code_; }
    void learn(std::uint8_t symbol) {
        counts_[symbol] += kGain;
        if (++seen_ % kPeriod != 0) return;
        code_ = HuffmanCode(word_lengths(counts_));
        if (seen_ % kMemory == 0) {
            for (std::uint32_t& count : counts_) count = (count + 1) / 2;
        }
    }

private:
    static constexpr std::uint32_t kPeriod = 256, kMemory = 1 << 20;
    // What is seen counts more than what only might be.
    static constexpr std::uint32_t kGain = 8;
    std::vector<std::uint32_t> counts_;
    HuffmanCode code_;
    std::uint32_t seen_ = 0;
};

class AdaptiveHuffmanDecoder {
public:
    AdaptiveHuffmanDecoder(ByteView data, int bits) : code_(bits), source_(data), bytes_(data.size()) {}
    std::uint8_t next(std::size_t) {
        const std::uint8_t symbol = code_.code().read(source_);
        code_.learn(symbol);
        return symbol;
    }
    void finish() const;

private:
    AdaptiveCode code_;
    BitSource source_;
    std::size_t bytes_;
};

// Symbols as paths through a binary tree, most significant bit first; a node is the bits before it with a 1 in front.
template <class Bits, class Node>
std::uint8_t code_path(Bits& coder, std::uint8_t symbol, int bits, const Node& node_at) {
    std::size_t node = 1;
    for (int i = bits; i-- > 0;) {
        auto& model = node_at(node);
        const bool bit = coder.put((symbol >> i & 1) != 0, model.probability);
        model.learn(bit);
        node = 2 * node + bit;
    }
    return static_cast<std::uint8_t>(node - (std::size_t{1} << bits));
}

// A probability that stays as it is.
struct FixedNode {
    Probability probability = 32768;
    void learn(bool) const {}
};

template <class Node>
class Trees {
public:
    Trees(int bits, std::size_t contexts) : bits_(bits), several_(contexts > 1), nodes_(contexts << bits) {}
    template <class Bits>
    std::uint8_t code(Bits& coder, std::uint8_t symbol, std::size_t context) {
        Node* tree = nodes_.data() + (several_ ? context << bits_ : 0);
        return code_path(coder, symbol, bits_, [tree](std::size_t node) -> Node& { return tree[node]; });
    }
    Node& at(std::size_t node) { return nodes_[node]; }

private:
    int bits_;
    bool several_;
    std::vector<Node> nodes_;
};

using AdaptiveTrees = Trees<Counter<255>>;
using FixedTrees = Trees<FixedNode>;

template <class Node>
class RangeSymbolDecoder {
public:
    RangeSymbolDecoder(ByteView data, Trees<Node> trees)
        : trees_(std::move(trees)), reader_(RangeDecoder(data)) {}
    std::uint8_t next(std::size_t context) { return trees_.code(reader_, 0, context); }
    void finish() const {}

private:
    Trees<Node> trees_;
    BitReader reader_;
};

// The probabilities in front of Coding::range, each a byte that stands for a logit.
FixedTrees read_trees(ByteView& data, int bits);

// Calls `use` with the decoder of some data. Throws Error (format).
template <class Use>
void with_decoder(ByteView data, int bits, Coding coding, const Use& use) {
    const auto run = [&](auto&& decoder) {
        use(decoder);
        decoder.finish();
    };
    switch (coding) {
        case Coding::huffman: return run(HuffmanDecoder(data, bits, 1));
        case Coding::huffman_contexts: return run(HuffmanDecoder(data, bits, kContexts));
        case Coding::huffman_adaptive: return run(AdaptiveHuffmanDecoder(data, bits));
        case Coding::contexts:
            return run(RangeSymbolDecoder<Counter<255>>(data, AdaptiveTrees(bits, kContexts)));
        case Coding::range_adaptive: return run(RangeSymbolDecoder<Counter<255>>(data, AdaptiveTrees(bits, 1)));
        case Coding::range: {
            FixedTrees trees = read_trees(data, bits);
            return run(RangeSymbolDecoder<FixedNode>(data, std::move(trees)));
        }
    }
    throw Error(Errc::unsupported, "coding " + std::to_string(static_cast<int>(coding)) + " of symbols is not known");
}

}  // namespace recodec::zoo
