// Integers of an entropy model as a weights file has them, and as its coder wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace recodec {

using Shape = std::vector<std::size_t>;

// An array of integers as a weights file has it.
struct IntegerTensor {
    Shape shape;
    std::vector<std::int32_t> values;
};

// Vectors of 32 bytes that lie across two cache lines take twice as long to load.
template <class T>
struct CacheLineAllocator {
    using value_type = T;
    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(const CacheLineAllocator<U>&) {}
    T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{64})); }
    void deallocate(T* at, std::size_t) { ::operator delete(at, std::align_val_t{64}); }
    bool operator==(const CacheLineAllocator&) const { return true; }
};
using AlignedVector = std::vector<std::int16_t, CacheLineAllocator<std::int16_t>>;

using IntegerTensors = std::map<std::string, IntegerTensor>;

inline constexpr std::size_t kMostWidth = 256;
// Biases and sums of products together stay below 2^31.
inline constexpr std::int32_t kLargestWeight = 127, kLargestBias = 1 << 26;

// Widths that every set of instructions takes: multiples of 8 up to kMostWidth.
bool is_width(std::size_t width);

// Throws Error (format) that names the tensor.
[[noreturn]] void reject_tensor(const std::string& name, const std::string& what);

std::string shape_text(const Shape& shape);

// Throws Error (format) if it is missing.
const IntegerTensor& find_tensor(const IntegerTensors& tensors, const std::string& name);

// Its values. Throws Error (format) if it is missing, has another shape or holds values beyond -limit..limit.
const std::vector<std::int32_t>& checked_tensor(const IntegerTensors& tensors, const std::string& name,
                                                const Shape& shape, std::int32_t limit);

// One matrix of a weights file, outputs × inputs, as AddProduct wants it.
void lay_out_matrix(const std::int32_t* matrix, std::size_t inputs, std::size_t outputs, std::int16_t* to);

}  // namespace recodec
