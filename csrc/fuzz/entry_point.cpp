// What a fuzzer calls with an input, whichever target it is linked with.
#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_all(data, size);
    return 0;
}
