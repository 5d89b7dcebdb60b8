#include "huffman.hpp"

#include <algorithm>
#include <numeric>
#include <string>

namespace recodec::zoo {

namespace {

// Depths of leaves in Huffman's tree; leaves are merged before nodes of the same count, both in order.
std::vector<std::uint32_t> depths_of(std::span<const std::uint32_t> counts, std::span<const std::size_t> order) {
    const std::size_t n = order.size();
    std::vector<std::uint64_t> nodes;
    std::vector<std::size_t> parent(2 * n - 1);
    std::size_t leaf = 0, node = 0;
    const auto take = [&](std::size_t above) {
        const bool is_leaf = node == nodes.size() || (leaf < n && counts[order[leaf]] <= nodes[node]);
        const std::uint64_t count = is_leaf ? counts[order[leaf]] : nodes[node];
        parent[is_leaf ? leaf++ : n + node++] = above;
        return count;
    };
    for (std::size_t above = n; above < 2 * n - 1; ++above) {
        const std::uint64_t first = take(above);
        nodes.push_back(first + take(above));
    }
    std::vector<std::uint32_t> depths(2 * n - 1, 0);
    for (std::size_t i = 2 * n - 2; i-- > 0;) depths[i] = depths[parent[i]] + 1;
    depths.resize(n);
    return depths;
}

}  // namespace

std::vector<std::uint8_t> word_lengths(std::span<const std::uint32_t> counts) {
    std::vector<std::uint32_t> scaled(counts.begin(), counts.end());
    std::vector<std::uint8_t> lengths(counts.size(), 0);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] != 0) order.push_back(i);
    }
    if (order.size() == 1) lengths[order[0]] = 1;
    if (order.size() < 2) return lengths;
    for (;;) {
        std::ranges::stable_sort(order, {}, [&](std::size_t symbol) { return scaled[symbol]; });
        const std::vector<std::uint32_t> depths = depths_of(scaled, order);
        if (std::ranges::max(depths) <= kMaxWordBits) {
            for (std::size_t i = 0; i < order.size(); ++i) lengths[order[i]] = static_cast<std::uint8_t>(depths[i]);
            return lengths;
        }
        for (const std::size_t symbol : order) scaled[symbol] = (scaled[symbol] + 1) / 2;
        std::ranges::sort(order);
    }
}

HuffmanCode::HuffmanCode(std::span<const std::uint8_t> lengths)
    : lengths_(lengths.begin(), lengths.end()), words_(lengths.size(), 0) {
    std::array<std::uint32_t, kMaxWordBits + 1> count{};
    for (const std::uint8_t length : lengths) {
        if (length > kMaxWordBits) {
            throw Error(Errc::format, "a Huffman code has words of " + std::to_string(length) + " bits; the most is 15");
        }
        if (length != 0) ++count[length];
    }
    std::uint32_t window = 0, place = 0;
    for (int length = 1; length <= kMaxWordBits; ++length) {
        const auto i = static_cast<std::size_t>(length);
        first_[i] = window;
        place_[i] = place;
        window += count[i] << (kMaxWordBits - length);
        place += count[i];
        limit_[i] = window;
        if (window > 1u << kMaxWordBits) throw Error(Errc::format, "a Huffman code has more words than there can be");
    }
    const bool alone = place == 1 && count[1] == 1;
    if (place != 0 && !alone && window != 1u << kMaxWordBits) {
        throw Error(Errc::format, "a Huffman code leaves words without a symbol");
    }
    by_word_.resize(place);
    std::array<std::uint32_t, kMaxWordBits + 1> next{};
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
        const std::size_t length = lengths[symbol];
        if (length == 0) continue;
        const std::uint32_t nth = next[length]++;
        const std::uint32_t start = first_[length] + (nth << (kMaxWordBits - length));
        by_word_[place_[length] + nth] = static_cast<std::uint8_t>(symbol);
        words_[symbol] = static_cast<std::uint16_t>(start >> (kMaxWordBits - length));
        if (length <= kFastBits) {
            const auto entries = fast_.begin() + (start >> (kMaxWordBits - kFastBits));
            std::fill_n(entries, 1 << (kFastBits - length),
                        Entry{static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(length)});
        }
    }
}

std::uint8_t HuffmanCode::read_long(BitSource& bits, std::uint32_t window) const {
    for (std::size_t length = 1; length <= kMaxWordBits; ++length) {
        if (window < limit_[length]) {
            bits.skip(static_cast<int>(length));
            return by_word_[place_[length] + ((window - first_[length]) >> (kMaxWordBits - length))];
        }
    }
    throw Error(Errc::format, "a Huffman-coded symbol is none of its code");
}

}  // namespace recodec::zoo
