// Damage to files that knows their structure, like tests/mutations.py.
#pragma once

#include <cstdint>

#include "container.hpp"
#include "decode_file.hpp"

namespace recodec {

// SplitMix64: the same numbers with every compiler and library.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        return z ^ z >> 31;
    }
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }
    std::uint8_t byte() { return static_cast<std::uint8_t>(next()); }

private:
    std::uint64_t state_;
};

// Damages `data` one to four times, or once by a chunk of `other` put in front of one of its own.
void mutate(Bytes& data, Random& random);
void splice(Bytes& data, ByteView other, Random& random);

// Makes the checksums and the end mark right, as far as the header makes sense and decoding all chunks
// stays within the limits: what is left wrong is then what a checksum cannot tell.
void repair(Bytes& data, const Limits& limits);

}  // namespace recodec
