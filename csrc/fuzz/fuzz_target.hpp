// The entry points of libFuzzer, for a driver of our own, and the check behind them.
#pragma once

#include <cstddef>
#include <cstdint>

// Of the files that it starts from.
extern const char* const corpus_extension;

// Whether the bytes are something that decodes. Throws std::logic_error if a property does not hold.
bool check_all(const std::uint8_t* bytes, std::size_t size);

extern "C" {
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);
std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size, const std::uint8_t* other,
                                      std::size_t other_size, std::uint8_t* out, std::size_t max_size,
                                      unsigned seed);
}
