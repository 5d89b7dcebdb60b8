// Binary range coder: one bit at a time, each with its own 16-bit probability.
//
// Invariants, for encoder and decoder alike, between two bits:
//   2^32 <= range < 2^64, so that (range >> 16) * p is at least 2^16 for every p in 1..65535 and
//   never exceeds range: both symbols keep a non-empty interval.
// The encoder's interval is [low, low + range) on the number line of all output written so far
// followed by 64 more bits. Adding to `low` may overflow 64 bits; the carry then goes into the words
// already written. A carry never runs past the first word, because low + range never exceeds what
// the very first interval [0, 2^64) allows.
// Words are 32 bits, most significant byte first. A decoder reads zeros beyond the end.
// Symbols are chosen by masks: a branch on a coded bit is mispredicted about as often as it can be.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace recodec {

// Probability that the bit is one, in units of 2^-16. Zero is not allowed.
using Probability = std::uint16_t;

// `yes` where the mask has ones, `no` where it has zeros.
constexpr std::uint64_t select(std::uint64_t mask, std::uint64_t yes, std::uint64_t no) {
    return no ^ ((yes ^ no) & mask);
}

class RangeEncoder {
public:
    void encode(bool bit, Probability p_one) {
        assert(p_one != 0);
        const std::uint64_t split = (range_ >> 16) * p_one;
        const std::uint64_t one = 0 - std::uint64_t{bit};
        const std::uint64_t skipped = split & ~one;
        low_ += skipped;
        if (low_ < skipped) [[unlikely]] carry();
        range_ = select(one, split, range_ - split);
        if (range_ < kMinRange) {
            put_word(static_cast<std::uint32_t>(low_ >> 32));
            low_ <<= 32;
            range_ <<= 32;
        }
    }

    // All bytes: the shortest string that identifies the interval, which is at most four more, and no trailing
    // zeros, which the decoder supplies by itself. Nothing can be encoded after them.
    std::vector<std::uint8_t> finish() && {
        for (int bytes = 0; bytes <= 4; ++bytes) {
            const std::uint64_t unused = bytes == 0 ? ~std::uint64_t{0} : ~std::uint64_t{0} >> (8 * bytes);
            const std::uint64_t value = (low_ + unused) & ~unused;
            const bool wrapped = low_ != 0 && low_ + unused < low_;
            // value - low is taken modulo 2^64, which is right for a wrapped value too.
            if (value - low_ < range_) {
                if (wrapped) carry();
                for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<std::uint8_t>(value >> (56 - 8 * i)));
                break;
            }
        }
        while (!out_.empty() && out_.back() == 0) out_.pop_back();
        return std::move(out_);
    }

private:
    static constexpr std::uint64_t kMinRange = std::uint64_t{1} << 32;

    void put_word(std::uint32_t word) {
        out_.resize(out_.size() + 4);
        for (std::size_t i = 0; i < 4; ++i) out_[out_.size() - 1 - i] = static_cast<std::uint8_t>(word >> (8 * i));
    }

    void carry() {
        std::size_t i = out_.size();
        while (++out_[--i] == 0) {
        }
    }

    std::vector<std::uint8_t> out_;
    std::uint64_t low_ = 0;
    std::uint64_t range_ = ~std::uint64_t{0};
};

class RangeDecoder {
public:
    explicit RangeDecoder(std::span<const std::uint8_t> data) : data_(data) {
        value_ = std::uint64_t{next_word()} << 32;
        value_ |= next_word();
    }

    bool decode(Probability p_one) {
        assert(p_one != 0);
        const std::uint64_t split = (range_ >> 16) * p_one;
        const bool bit = value_ < split;
        const std::uint64_t one = 0 - std::uint64_t{bit};
        value_ = value_ - split + (split & one);
        range_ = select(one, split, range_ - split);
        if (range_ < kMinRange) {
            value_ = (value_ << 32) | next_word();
            range_ <<= 32;
        }
        return bit;
    }

private:
    static constexpr std::uint64_t kMinRange = std::uint64_t{1} << 32;

    std::uint32_t next_word() {
        std::uint32_t word = 0;
        if (data_.size() - position_ >= 4) {
            const std::uint8_t* p = data_.data() + position_;
            word = std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
            position_ += 4;
        } else {
            for (int i = 0; i < 4; ++i) {
                word = word << 8 | (position_ < data_.size() ? data_[position_++] : 0u);
            }
        }
        return word;
    }

    std::span<const std::uint8_t> data_;
    std::size_t position_ = 0;
    std::uint64_t value_ = 0;
    std::uint64_t range_ = ~std::uint64_t{0};
};

}  // namespace recodec
