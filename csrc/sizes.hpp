// Sizes of planes, which headers claim: multiplied so that none wraps, also where std::size_t has 32 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "error.hpp"

namespace recodec {

// Throws Error (limit) where so many numbers, of up to 8 bytes each, cannot be.
inline std::size_t size_product(std::initializer_list<std::size_t> factors) {
    constexpr std::size_t kMost = std::numeric_limits<std::ptrdiff_t>::max() / 8;
    std::size_t product = 1;
    for (const std::size_t factor : factors) {
        if (factor != 0 && product > kMost / factor) {
            throw Error(Errc::limit, "planes of this picture are larger than this machine can address");
        }
        product *= factor;
    }
    return product;
}

}  // namespace recodec
