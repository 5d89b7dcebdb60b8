// Canonical Huffman codes of at most 15 bits, for symbols of up to 8 bits.
//
// A code is known by the lengths of its words: shorter words first, and words of one length in the order of their
// symbols. Bits go into bytes from the most significant end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../bytes.hpp"

namespace recodec::zoo {

inline constexpr int kMaxWordBits = 15;

// Lengths by symbol, 0 for symbols that do not occur; one symbol alone has a word of one bit. Where words would be too
// long, counts are halved until they are not.
std::vector<std::uint8_t> word_lengths(std::span<const std::uint32_t> counts);

class BitStream {
public:
    void put(std::uint32_t word, int bits) {
        pending_ = pending_ << bits | word;
        for (used_ += bits; used_ >= 8; used_ -= 8) {
            out_.push_back(static_cast<std::uint8_t>(pending_ >> (used_ - 8)));
        }
    }
    Bytes finish() && {
        if (used_ > 0) put(0, 8 - used_);
        return std::move(out_);
    }

private:
    Bytes out_;
    std::uint64_t pending_ = 0;
    int used_ = 0;
};

class BitSource {
public:
    explicit BitSource(ByteView data) : data_(data) {}

    // The next kMaxWordBits, zeros beyond the end.
    std::uint32_t peek() {
        while (available_ < kMaxWordBits) {
            window_ = window_ << 8 | (at_ < data_.size() ? data_[at_] : 0u);
            ++at_;
            available_ += 8;
        }
        return static_cast<std::uint32_t>(window_ >> (available_ - kMaxWordBits)) & ((1u << kMaxWordBits) - 1);
    }
    void skip(int bits) { available_ -= bits; }
    // Bytes whose bits were taken, a last one in part; more than there are where words ended too early.
    std::size_t bytes_taken() const { return at_ - static_cast<std::size_t>(available_) / 8; }

private:
    ByteView data_;
    std::size_t at_ = 0;
    std::uint64_t window_ = 0;
    int available_ = 0;
};

class HuffmanCode {
public:
    // Throws Error (format) for lengths that are those of no complete code.
    explicit HuffmanCode(std::span<const std::uint8_t> lengths);

    int length(std::uint8_t symbol) const { return lengths_[symbol]; }

    void write(BitStream& bits, std::uint8_t symbol) const { bits.put(words_[symbol], lengths_[symbol]); }

    // Throws Error (format) where the code has no symbols, or its words end.
    std::uint8_t read(BitSource& bits) const {
        const std::uint32_t window = bits.peek();
        const Entry entry = fast_[window >> (kMaxWordBits - kFastBits)];
        if (entry.length != 0) {
            bits.skip(entry.length);
            return entry.symbol;
        }
        return read_long(bits, window);
    }

private:
    static constexpr int kFastBits = 9;
    struct Entry {
        std::uint8_t symbol = 0, length = 0;
    };

    std::uint8_t read_long(BitSource& bits, std::uint32_t window) const;

    std::vector<std::uint8_t> lengths_;
    std::vector<std::uint16_t> words_;
    std::array<Entry, 1 << kFastBits> fast_{};
    std::vector<std::uint8_t> by_word_;  // symbols in the order of their words
    // For words of each length: where they end among all windows, and where they begin there and in by_word_.
    std::array<std::uint32_t, kMaxWordBits + 1> limit_{}, first_{}, place_{};
};

}  // namespace recodec::zoo
